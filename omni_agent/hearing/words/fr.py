"""French."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

_BYE = r"(?:au revoir|ciao|tchao|adieu|bonne nuit|bye)"
_YES = r"(?:oui|ouais|ok|okay|d'accord|bien sûr|volontiers|parfait|voilà|entendu|ouaip|si)"
_NO = r"(?:non|nan|pas du tout|surtout pas)"
_UNTIL = (
    r"à (?:demain|ce soir|après-demain|la semaine prochaine"
    r"|(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)(?: prochain)?)"
)

WORDS = Words(
    hums=(r"m+[\s-]*h*m+", r"mhm", r"h+u*m+", r"a+h+|oh+|aha+|ben|bah|tiens|u+h+[\s-]*huh"),
    patient=(
        r"ok|okay|d'accord|très bien|bien|bon|entendu|compris|j'ai compris|je comprends|je vois"
        r"|ça marche|pas de souci|pas de problème|merci|merci beaucoup|ça va|vas-y|allez-y"
        r"|je vous en prie",
    ),
    agreeing=(
        r"oui|oui oui|ouais|ouaip|voilà|exactement|exact|tout à fait|c'est ça|c'est vrai|vrai"
        r"|en effet|effectivement|bien sûr|évidemment|super|génial|chouette|parfait|ah bon|ah oui"
        r"|vraiment|waouh|wahou|cool|absolument|certes",
    ),
    commands=(
        r"non|stop|arrête|arrêtez|arrête-toi|arrêtez-vous|attends|attendez|un instant|un moment"
        r"|une seconde|une minute|minute|au secours|à l'aide|aide-moi|aidez-moi|silence|tais-toi"
        r"|taisez-vous|assez|ça suffit|chut|halte",
    ),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:s'il (?:vous|te) plaît|merci|allez-y|vas-y|faites|fais-le"
        rf"|faites-le))?",
        r"(?:mais )?(?:bien sûr|certainement|absolument|tout à fait|évidemment|exactement|exact"
        r"|carrément)"
        r"(?: que oui)?|je veux bien|avec plaisir|allez-y|vas-y|ça marche|ça me va|très bien"
        r"|c'est ça|c'est (?:bon|exact|correct|juste|parfait|d'accord)|pourquoi pas|m+[\s-]*h+m+"
        r"|mhm|super|bien|pas de problème|s'il (?:vous|te) plaît|je confirme|j'accepte"
        r"|je suis d'accord|absolument oui",
        r"(?:fais|faites)(?:-le| ça| donc)(?: s'il (?:vous|te) plaît)?",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:merci|pas (?:encore|maintenant|ça|du tout)|attends|attendez))?",
        r"(?:non )?(?:pas|jamais|surtout pas|plutôt pas)(?: (?:encore|maintenant|aujourd'hui"
        r"|vraiment|question|la peine|tout de suite))?|jamais de la vie|en aucun cas"
        r"|absolument pas|bien sûr que non|certainement pas|hors de question|laisse tomber"
        r"|laissez tomber|arrête|arrêtez|stop|attends|attendez|un instant|annule|annulez|annuler"
        r"|c'est (?:faux|inexact)|ce n'est pas (?:ça|correct|exact|juste|la peine)",
        r"ne (?:le )?(?:fais|faites) pas(?: ça)?|je ne (?:veux|préfère|souhaite) pas"
        r"|je préfère pas|je n'en veux pas|j'aime mieux pas",
    ),
    unfinished=Unfinished(
        words=(
            r"et|ou|mais|parce que|parce qu'|que|qu'|car|si|quand|lorsque|puisque|comme|donc|ni"
            r"|dont",
            r"le|la|les|l'|un|une|des|du|au|aux|mon|ma|mes|ton|ta|tes|son|sa|ses|notre|nos|votre"
            r"|vos|leur|leurs|ce|cet|cette|ces|chaque|quelques|très|plus de",
            r"à|de|d'|en|pour|avec|sans|sur|sous|dans|chez|par|vers|entre|depuis|jusqu'à|pendant"
            r"|contre",
            r"est|sont|était|suis|c'est|j'ai|n'|j'|s'|m'|t'|je|tu|nous|on",
            r"euh+|heu+|du coup|genre|enfin|disons",
        ),
        endings=(
            r"(?:^|[,;.] *|\bet )(?:alors|puis|ensuite|donc)|\bet (?:après|aussi)",
            r"\b(?:je voudrais|je veux|j'aimerais|je souhaite|je cherche|nous voulons"
            r"|nous voudrions|j'ai besoin|il faut|il me faut|je vais|on va|je m'appelle"
            r"|mon nom est)",
            r"\b(?:est-ce que|qu'est-ce que|quel est|quelle est|quels sont|quelles sont)",
            r"(?:^|[,;.] *|\bet )(?:est-ce que )?(?:tu peux|vous pouvez|peux-tu|pouvez-vous"
            r"|pourrais-tu|pourriez-vous)(?: me)?(?: s'il (?:te|vous) plaît)?",
        ),
        whole=(
            # "Où suis-je ?", "Prends-le.", "Allez-vous-en."
            r"-(?:je|tu|nous|on|ce|le|la|les|leur|en|y)[.!?]*$",
            # "Je sais qui je suis.", "là où il est"
            r"\b(?:qui|où|comme|que|qu'il|qu'elle|il|elle|ils|elles|on|ça|tel) (?:je |tu |il "
            r"|elle |nous )?"
            r"(?:est|sont|était|suis)[.!?]*$",
            # "Tu viens avec ?", "C'est fait pour.", "Je suis contre."
            r"\b(?:fait|faits|faite|faites|viens|venir|suis|es|sommes|être) (?:pour|avec|contre"
            r"|sans)[.!?]+$",
            r"\b(?:c'est tout ce|voilà ce|ce|tout ce) (?:que|qu') ?(?:je veux|je cherche|il faut"
            r"|il me faut|je voudrais|je souhaite)[.!?]*$",
            r"\b(?:peut-être|je crois|je pense|bien sûr|mais|et|on dirait) (?:que )?(?:si|oui"
            r"|non)[.!]+$",
            r"\b(?:entre|chez|pour|avec|sans|et|que|comme|à) nous[.!?]+$",
            r"\b(?:moi|toi|lui|eux|elle) aussi[.!?]*$",
            r"^(?:si|entre)[.!]+$",
            # "Coupe le son.", "en car", "Et alors ?", "Quand ?", "J'y suis."
            r"\b(?:le|du) (?:son|ton)[.!?]*$|\b(?:en|le|un|du) car[.!?]*$|\bj'y suis[.!?]*$",
            r"\bet (?:alors|après|puis|ensuite)\?$|\bquand\?$",
            # "Qu'est-ce que c'est ?", "Je ne sais pas ce que c'est."
            r"\b(?:que|qui|où|quand|comment|comme|combien|oui|non|si),? c'est[.!?]+$",
            r"\b(?:que|quoi|qui) j'ai[.!?]+$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        also_answers=(_UNTIL,),
        also_hello=(r"salut|bonsoir",),
        phrases=(
            rf"{_BYE}(?: {_BYE})*",
            _UNTIL,
            r"à (?:bientôt|plus tard|plus|tout à l'heure|tantôt|la prochaine(?: fois)?"
            r"|un de ces jours|tout de suite)",
            r"(?:raccroche|raccrochez|termine(?:z)? l'appel)(?: maintenant)?(?: s'il (?:te"
            r"|vous) plaît)?",
            r"(?:tu peux|vous pouvez|peux-tu|pouvez-vous) (?:raccrocher"
            r"|terminer l'appel)(?: maintenant)?"
            r"(?: s'il (?:te|vous) plaît)?",
            r"(?:je dois|il faut que je|faut que je) (?:(?:y )?aller|partir|raccrocher|filer"
            r"|vous laisser|te laisser|vous laisse|te laisse|file|parte|raccroche|m'en aille"
            r"|y aille)(?: maintenant)?",
            r"je (?:vous laisse|te laisse|raccroche|m'en vais|file|pars)(?: maintenant)?|j'y vais",
            r"(?:passe[z]? )?(?:une )?(?:très )?bonne (?:journée|soirée|fin de journée"
            r"|fin de soirée|continuation|après-midi|semaine)"
            r"|(?:passe[z]? )?(?:un )?(?:très )?bon (?:après-midi|week-end|weekend)",
            r"prends soin de toi|prenez soin de vous|porte-toi bien|portez-vous bien",
            r"on se (?:voit|rappelle|parle|reparle) (?:bientôt|demain|plus tard)",
        ),
        polite=(
            r"non|oui|ok|okay|d'accord|bon|bien|très bien|alors|voilà|parfait|super|génial"
            r"|eh bien|ben|bah|ah|oh|s'il (?:vous|te) plaît|et|allez|bon ben|entendu|ça marche"
            r"|à vous aussi|vous aussi|toi aussi|de même",
            r"(?:non |oui )?(?:merci(?: (?:beaucoup|bien|encore|infiniment|à (?:vous|toi)))*"
            r"|mille mercis)"
            r"(?: pour (?:tout|votre aide|ton aide))?",
            r"(?:c'est|ce sera|c'était|ça sera) tout(?: pour (?:aujourd'hui|le moment"
            r"|l'instant))?|rien d'autre|j'ai (?:fini|terminé)|désolée?|pardon|madame|monsieur"
            r"|mademoiselle",
        ),
        thanks=(r"merci",),
        named=(
            rf"(?:{_BYE}|à bientôt|à demain|à plus tard)(?: mon| ma| cher| chère| madame"
            rf"| monsieur)*",
        ),
        not_names=(
            r"est|c'est|sont|le|la|les|un|une|de|du|des|en|à|au|avec|pour|par|et|ou|que|quoi|qui"
            r"|où|quand|comment|pourquoi|ne|pas|ça|ce|il|elle|je|tu|on|dit|dire|veut|signifie"
            r"|chanson|mot|aussi|encore|aujourd'hui|mais|si|dans|tout|tous",
        ),
        about_words=(
            r"dit|dire|dites|disait|signifie|veut dire|tradui\w+|traduction|mots?|épel\w+"
            r"|épell\w+|répèt\w+|répét\w+|prononc\w+|expression|phrase|en (?:français|anglais"
            r"|allemand|espagnol|italien)",
        ),
        asking=(r"que|quoi|quel|quelle|quels|quelles|qui|où|quand|comment|pourquoi|qu'est-ce",),
        offering=(
            r"autre|aider|aide|plus|puis-je|peux-je|faire pour|ça va|allez-vous|vas-tu|encore là"
            r"|toujours là",
        ),
    ),
)
