"""German."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

_BYE = (
    r"(?:tsch(?:ü|ue)+(?:ss?|ß)(?:i|chen|ing)?|auf wieder(?:sehen|hören|schauen)|wiedersehen"
    r"|wiederhören|ciao|tschau|tschö|ade|pfiat ?di|pfüat ?di|gute nacht|mach's gut"
    r"|machen sie's gut|adieu|uf wiederluege)"
)
_WHEN = (
    r"(?:bald|gleich|später|dann|morgen|übermorgen|nachher|nächstes mal|zum nächsten mal"
    r"|nächste woche|(?:dem)?nächst|(?:mon|diens|donners|frei|sonn)tag|mittwoch|samstag|sonnabend"
    r"|heute abend|die tage|demnächst)"
)
_UNTIL = rf"(?:also |dann )?bis (?:zum )?{_WHEN}(?: mal| dann| wieder)?"
_YES = r"(?:ja|jo|jap|jawohl|okay|ok|klar|gern|gerne|genau|gut)"
_NO = r"(?:nein|nee|nö|ne)"
_POLITELY = r"(?:und |also |dann |bitte )*"

WORDS = Words(
    hums=(
        r"m+[\s-]*h*m+",
        r"mhm",
        r"h+m+",
        r"a+h+a*|ach|oh+|aha+|tja|och|u+h+[\s-]*huh",
    ),
    patient=(
        r"ok|okay|alles klar|alles gut|gut|schön|na gut|ist gut|in ordnung|passt|klar|na klar"
        r"|verstehe|ich verstehe|verstanden|danke|danke schön|vielen dank|ach so|achso"
        r"|kein problem",
    ),
    agreeing=(
        r"ja|jaja|ja ja|jo|jap|jawohl|genau|richtig|stimmt|eben|wow|toll|cool|super|prima|schön"
        r"|sehr gut|sehr schön|wirklich|echt|natürlich|klar doch|so so|soso|interessant",
    ),
    commands=(
        r"nein|nee|stopp?|halt|warte|warten sie|moment|moment mal|einen moment|einen augenblick"
        r"|augenblick|sekunde|hilfe|ruhe|still|sei still|seien sie still|genug|es reicht"
        r"|das reicht|hör auf|hören sie auf|aufhören|schluss",
    ),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:bitte|doch|sicher|natürlich|mach das|machen sie das|tu das))?",
        r"bitte|doch|m+[\s-]*h+m+|mhm|selbstverständlich|natürlich|sicher|unbedingt"
        r"|auf jeden fall|einverstanden|in ordnung|alles klar|na klar|klar doch|sehr gerne?"
        r"|aber gerne?|warum nicht|meinetwegen|von mir aus|richtig|korrekt|perfekt|super|prima"
        r"|passt|stimmt|sehr gut|na gut|also gut|alles gut",
        r"das (?:stimmt|passt|ist (?:richtig|korrekt|gut|in ordnung|okay|ok)|wäre (?:gut|schön"
        r"|nett|toll))",
        r"(?:ja )?(?:bitte )?(?:mach|machen sie|tu|tun sie) (?:das|es)(?: bitte| ruhig)?",
        r"ich (?:bitte darum|bin einverstanden|stimme zu|bestätige)|so machen wir(?:'s| es| das)",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:danke|bitte nicht|lieber nicht|noch nicht|nicht|das nicht"
        rf"|warte))?",
        r"(?:bitte |lieber |besser |noch |jetzt |auf (?:gar )?keinen fall )?nicht(?: jetzt)?"
        r"|auf (?:gar )?keinen fall|niemals|nie|keinesfalls|bloß nicht|gar nicht|eher nicht"
        r"|auch nicht|stopp?|halt|warte|warten sie|moment|abbrechen|falsch|danke nein",
        r"das (?:ist (?:falsch|nicht richtig)|stimmt nicht|möchte ich nicht|will ich nicht)",
        r"(?:mach|machen sie|tu|tun sie) (?:das|es)(?: bitte)?(?: lieber)? nicht",
        r"ich (?:will|möchte)(?: das)?(?: lieber)? nicht|brich(?: es| das)? ab|brechen sie(?: es"
        r"| das)? ab",
    ),
    unfinished=Unfinished(
        words=(
            r"und|oder|aber|sondern|weil|dass|wenn|falls|obwohl|beziehungsweise|sowie|bevor",
            r"der|die|dem|des|den|eine?|einen|einem|einer|eines|kein|keinen|keinem|keiner",
            r"mein|meine[nmrs]?|deine[nmrs]?|unsere?|unser(?:en|em)|ihren|ihrem|seinen|seinem",
            r"für|von|bei|ohne|gegen|zwischen|wegen|seit|bis|unter|über|in|im|am|zum|zur|vom|beim"
            r"|ins|ans|aufs|mit",
            r"äh+m*|öh+m*|ehm+",
        ),
        endings=(
            r"(?:^|[,;.] *)(?:also|so|na ja|naja|sozusagen)",
            r"(?:^|[,;.] *|\bund )dann",
            r"\b(?:name|nummer|adresse|anschrift|code|kennwort|passwort|datum|frage|problem)"
            r" (?:ist|lautet|wäre|war)",
            r"\bich (?:heiße|wohne|suche|brauche|bin|nehme)",
            rf"(?:^|[,;.] *){_POLITELY}(?:ich|wir) (?:möchten?|will|wollen|würden?"
            rf"|hätten?)(?: gerne?)?",
            r"\b(?:möchte|würde|hätte) (?:ich|wir) gerne?",
            rf"(?:^|[,;.] *){_POLITELY}(?:kannst|könntest|würdest|könnten|können|würden)"
            r" (?:du|sie)(?: mir| mal| bitte)*",
            r"\b(?:stell|stelle|stellen sie|schick|schicke|sag|sage|ruf|rufe|such|suche|zeig"
            r"|zeige)"
            r"(?: mir)?(?: bitte)?",
            r"\b(?:auf|an|nach|aus|zu|um|vor|hinter|neben) (?:das|dem|den|die|der)",
            r"\b(?:erinner\w*|erinnern sie) (?:mich|uns)(?: bitte)?(?: daran)?",
            r"\b(?:es ist|das ist|es wird|klingt) (?:so )?wie",
        ),
        whole=(
            # "Schalte das Licht ein.", "Ich steige ein.", "Lass ihn in Ruhe" is none of them
            r"\b(?:schalt|stell|steig|lad|log|kauf|trag|lass|richt|mach|pack|gieß|führ|schlaf"
            r"|bring|deck|räum|fäll|fall|setz|nehm|nimm|geb|gib|tipp|bau)\w*\b.* ein[.!?]*$",
            # "Komm mit.", "Nehmen Sie mich mit?"
            r"\b(?:komm|nehm|nimm|bring|mach|geh|fahr|spiel|les|lies|zähl|red|hör|schreib|teil"
            r"|rechn)"
            r"\w*\b.* mit[.!?]*$",
            r"\b(?:komm|bring|nehm|nimm|mach)\w* mit[.!?]*$",
            # "Wer ist der?", "Was für eine?", "Ich nehme den.", "Ja, die."
            r"\b(?:wer|was für|welche\w?|wie viele|nehme?|nehmen|will|meine) (?:ist |sind |war )?"
            r"(?:der|die|den|einen?|eine[rs]?)[.!?]+$",
            r"^(?:ja|nein|nur|genau|doch),? (?:der|die|den|dem|einen?|eine[rs]?)[.!?]+$",
            # "Weißt du, wo ich wohne?", "Alles, was ich brauche."
            r"\b(?:was|wie|wo|wer|wen|den|die|das) ich (?:suche|brauche|nehme|heiße|wohne"
            r"|bin)[.!?]*$",
            # "Das möchte ich gerne."
            r"\b(?:das|es|so) (?:möchte|würde|hätte) (?:ich|wir)(?: gerne?)?[.!?]*$",
            # "Und dann?"
            r"\b(?:und|ja) dann\?$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        also_answers=(_UNTIL,),
        also_hello=(r"servus|grüezi|grüß gott|guten abend",),
        phrases=(
            rf"{_BYE}(?: {_BYE})*(?: dann| erstmal| erst mal)?",
            _UNTIL,
            rf"wir (?:sehen|hören|sprechen) uns(?: {_WHEN}| wieder)?",
            rf"(?:sehen|hören|sprechen) wir uns (?:{_WHEN}|wieder)",
            r"(?:bitte )?(?:leg|legen sie|leg du) (?:bitte |jetzt |ruhig )*auf(?: bitte)?",
            r"(?:du kannst|sie können|kannst du|können sie)"
            r" (?:bitte |jetzt |ruhig |gerne? )*(?:auflegen|das gespräch beenden)",
            r"(?:beende|beenden sie)(?: bitte)? (?:das|dieses) gespräch|gespräch beenden|auflegen",
            r"ich muss (?:jetzt |leider |dann |mal |wirklich )*(?:los|weg|gehen|weiter"
            r"|schluss machen|auflegen)",
            r"ich (?:lege|leg) (?:jetzt |dann |mal )*auf|ich mach(?:e)? (?:jetzt )?schluss",
            r"ich bin (?:dann |jetzt )?(?:mal )?weg",
            r"(?:ich wünsche (?:dir|ihnen|euch) )?(?:noch )?(?:einen )?"
            r"(?:schönen|angenehmen) (?:tag|abend|nachmittag|feierabend)(?: noch)?",
            r"(?:ich wünsche (?:dir|ihnen|euch) )?(?:noch )?(?:ein )?schönes wochenende(?: noch)?",
            r"pass(?:en sie)? (?:gut )?auf (?:dich|sich) auf|alles gute|lebe? ?wohl"
            r"|leben sie wohl",
        ),
        polite=(
            r"nein|nee|nö|ja|ok|okay|gut|na gut|also|so|nun|dann|alles klar|super|prima|toll"
            r"|perfekt|schön|klasse|genau|ach|oh|na|bitte|und|na dann|wunderbar|fein|gern|gerne"
            r"|alles gut",
            r"(?:nein |ja )?(?:danke(?: schön| sehr| dir| ihnen)?|vielen (?:lieben )?dank"
            r"|besten dank|herzlichen dank|tausend dank|dankeschön)(?: nochmal| noch mal"
            r"| für alles| für (?:die|ihre|deine) hilfe)?",
            r"(?:das|dies) (?:war|wär|wäre|ist)(?:'s| es)?(?: alles| schon alles| dann)?"
            r"(?: für heute| fürs erste)?|das wars|mehr nicht|sonst nichts|nichts weiter"
            r"|ich bin fertig|ebenso|gleichfalls|ihnen auch|dir auch|entschuldigung",
        ),
        thanks=(r"dank",),
        named=(
            rf"(?:{_BYE}|bis bald|bis dann|bis später)(?: mein| meine| liebe| lieber| herr"
            rf"| frau)*",
        ),
        not_names=(
            r"ist|war|sind|der|die|das|den|dem|ein|eine|einen|zu|für|von|auf|in|im|an|mit|und"
            r"|oder|wie|was|wer|wo|wann|warum|es|er|sie|ich|du|nicht|auch|noch|heute|heißt"
            r"|bedeutet|sagen|sagt|lied|wort|wenn|aber|dass",
        ),
        about_words=(
            r"sagt?|sagen|gesagt|heißt|heißen|bedeutet|übersetz\w*|übersetzung|worte?|wörter"
            r"|buchstabier\w*|wiederhol\w*|ausspr\w+|ausdruck|redewendung|auf (?:deutsch|englisch"
            r"|französisch|spanisch|italienisch)",
        ),
        asking=(r"was|welche[rsmn]?|wer|wem|wen|wessen|wo|wann|wie|warum|weshalb|wieso",),
        offering=(
            r"noch|sonst|helfen|hilfe|weiterhelfen|tun|geht es (?:dir|ihnen)|geht's|noch da|mehr",
        ),
    ),
)
