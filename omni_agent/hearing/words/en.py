"""English."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

# One way to read each text: what can be read in two doubles the work with every repetition.
_BYE = r"(?:good[ -]?bye|bye(?:-?bye)?|goodnight|good night|so long|farewell|cheerio|ciao)"
_WHEN = (
    r"(?: (?:later|soon|around|then|again|next time|tomorrow|tonight|in a bit|in a while|"
    r"next week|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|another time))+"
)
_YES = r"(?:yes|yeah|yep|yup|ok|okay|sure|all right|alright|right)"
_NO = r"(?:no|nope|nah)"
_GOING = r"(?: (?:now|then|soon))?"
_PREPOSITION = r"(?:to|of|for|with|in|at|on|by|from|about|into)"

WORDS = Words(
    hums=(r"m+[\s-]*h*m+", r"u+h+[\s-]*huh", r"h+m+", r"mhm", r"ah+", r"oh+", r"aha+"),
    patient=(r"ok|okay|all right|alright|sure|i see|got it|fine|thanks|thank you|go on",),
    agreeing=(r"yeah|yep|yes|yup|right|wow|cool|nice|great|really|true|exactly",),
    commands=(r"no|stop|wait|help|quiet|enough|hold on|shut up|be quiet",),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:please|of course|do|do it|do that|go ahead|i do|i would))?",
        r"m+[\s-]*h+m+|mhm|u+h+[\s-]*huh",
        r"(?:please )?(?:do|do it|do so|do that|go ahead|go on)(?: please)?",
        r"of course|certainly|absolutely|definitely|by all means|why not|exactly|correct|fine",
        r"(?:that's|that is|that would be|that'd be|sounds)"
        r" (?:right|correct|fine|good|great|ok|okay|perfect)",
        r"i (?:do|would|agree|confirm)|i'd (?:like|love) that|i'd love to|no problem|perfect"
        r"|great",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:please|thanks|thank you|don't|not now|not yet|wait|i don't))?",
        r"n?uh[\s-]uh|never|never mind|certainly not|absolutely not|of course not|no way",
        r"(?:please )?(?:don't|do not|stop|cancel|cancel it|cancel that|wait)(?: please)?",
        r"(?:please )?(?:don't|do not) (?:do )?(?:it|that)",
        r"i (?:don't|do not)(?: want (?:to|that|it))?",
        r"(?:rather |better |maybe )?not(?: now| yet| today| really)?|i'd rather not|hold on",
        r"that's (?:wrong|not right|not correct)|wrong",
    ),
    unfinished=Unfinished(
        words=(
            r"and|or|but|because|the|a|an|my|your|our|their|if|um+|uh+|er+|every|than",
            _PREPOSITION,
            r"is|are|am|was|were",
        ),
        endings=(
            r"(?:^|[,;.] *|\band )so",
            r"(?:^|[,;.] *|\b(?:and|but) )then",
            r"(?:\bwould|'d|\bsomething|\b(?:look|sound|feel)s?|\bit's) like|^like",
            r"\b(?:think|thinks|said|say|believe|heard|tell me|told me|remind me|make sure) that",
            r"(?:^|[,;.] *|\b(?:and|so|but) )(?:i|we) (?:\w+ly )?(?:want|need)",
            r"(?:^|[,;.] *|\b(?:and|please) )(?:can|could|would|will) you(?: please)?",
            r"(?:^|[,;.] *)please (?:set|tell|call|send|play|turn|remind|book)",
        ),
        whole=(
            # "What is that for?", "nothing to be afraid of": what it belongs to came first
            r"\b(?:what|who|whom|which|where|how|nothing|anything|something|all|everything)\b"
            rf"(?! about).* {_PREPOSITION}[.?!]+$",
            # "turn the kitchen light on": a verb's own particle, after what is turned
            r"\b(?:turn|turned|switch|switched|put|leave|left|keep|have|get"
            r"|try) (?!on\b)[\w' ]+ on"
            r"[.?!]*$",
            # "log me in", "count us in", "come on in"
            r"\b(?:log|sign|check|let|count|come|plug|fill|move|bring|call|put|take)(?: on)?"
            r"(?: it| me| us| him| her| them| that| this)? in[.?!]*$",
            r"\b(?:hold|come|go|carry|move|read|hang|drive|later|and so|so) on[.?!]*$",
            # "I don't want to.", "I'd love to."
            r"(?:n't|\bnot|\bnever)(?: really)? (?:want|need|have|like|wish|mean|plan) to[.!]+$",
            r"\b(?:love|happy|glad|like) to[.!]+$",
            # "Yes, it is.", "what time it is", "Who are they?", "I think she was."
            r"\b(?:yes|no|yeah|what|how|who|where|when|why|think|sure|know|say|as|than)\b.*"
            r"\b(?:i|he|she|it|we|you|they|that|there|this) (?:is|are|am|was|were)[.?!]*$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        phrases=(
            rf"{_BYE}(?: {_BYE})*(?: for now| now| then)?",
            rf"(?:i will |i'll )?see (?:you|ya)(?:{_WHEN})?",
            r"(?:i will |i'll |we'll |let's )?"
            rf"(?:talk|talk to you|speak|speak to you|catch you|until){_WHEN}",
            r"(?:please )?(?:hang up|end (?:the|this) call)(?: now)?(?: please)?",
            r"you (?:can|may) (?:hang up|end the call)(?: now)?",
            r"(?:can|could|would|will) you (?:please )?"
            r"(?:hang up|end the call)(?: now)?(?: please)?",
            r"(?:i've|i have|i) (?:really )?(?:got to|gotta|have to|need to|must|should)"
            rf" (?:go|leave|run|hang up){_GOING}",
            rf"i (?:really )?(?:have to|need to|must|gotta|should)(?: be| get)? going{_GOING}",
            rf"(?:i'm|i am) (?:going to|gonna) (?:go|hang up){_GOING}",
            rf"(?:i'm|i am) (?:off|hanging up){_GOING}",
            r"have a (?:very )?(?:nice|good|great|lovely|wonderful)"
            r" (?:day|evening|night|afternoon|morning|weekend|one|time)",
            r"take care(?: of yourself)?",
        ),
        polite=(
            r"no|nope|yes|yeah|ok|okay|well|so|now|right|alright|all right|great|perfect|good"
            r"|fine",
            r"lovely|cool|oh|then|please|and",
            r"(?:no )?thanks?(?: you)?(?: so| very)?(?: much| a lot)?(?: again| for everything|"
            r" for your help| for the help| anyway)?|cheers",
            r"(?:that's|that is|that was|that will be|that'll be) (?:all|it|everything)"
            r"(?: for (?:now|today))?(?: i needed| i wanted| thanks| thank you)?",
            r"nothing else|i'm done|we're done|you too|sorry",
        ),
        thanks=(r"thank",),
        named=(rf"(?:{_BYE}|take care|see you|see you later)(?: my| dear)*",),
        not_names=(
            r"in|is|was|are|the|an?|to|of|for|from|as|and|or|means?|what|how|why|who|where|when"
            r"|it",
            r"that|this|at|on|with|by|if|not|too|song|sign|party|kiss|note|yet|today",
        ),
        about_words=(
            r"says?|saying|said|means?|translat\w+|translation|words?|spell\w*|repeat|pronounce",
            r"phrase|expression|in (?:english|german|french|spanish|italian|another language)",
        ),
        asking=(r"what|which|who|whose|where|when|how|why",),
        offering=(r"else|help|can i do|may i do|more|how are you|still there",),
    ),
)
