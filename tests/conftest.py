"""What all tests share."""

from hypothesis import settings

# A busy machine is no failure of what is tested, and a commit has the same examples everywhere:
# new ones are looked for with --hypothesis-profile=curious.
settings.register_profile("curious", deadline=None)
settings.register_profile("patient", deadline=None, derandomize=True)
settings.load_profile("patient")
