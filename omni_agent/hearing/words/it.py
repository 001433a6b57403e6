"""Italian."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

_BYE = r"(?:arrivederci|arrivederla|addio|ciao ciao|buonanotte|buona notte|a risentirci)"
_WHEN = (
    r"(?:presto|dopo|domani|dopodomani|più tardi|stasera|lunedì|martedì|mercoledì|giovedì|venerdì"
    r"|sabato|domenica|la prossima(?: volta)?|la settimana prossima|un'altra volta)"
)
_UNTIL = rf"a {_WHEN}"
_YES = r"(?:sì|si|ok|okay|certo|va bene|d'accordo|esatto|volentieri|perfetto)"
_NO = r"(?:no|macché|affatto|per niente)"

WORDS = Words(
    hums=(r"m+[\s-]*h*m+", r"mhm", r"h+m+", r"a+h+|oh+|aha+|eh+|boh|beh|u+h+[\s-]*huh"),
    patient=(
        r"ok|okay|va bene|bene|benissimo|d'accordo|capisco|ho capito|capito|certo|grazie"
        r"|grazie mille|nessun problema|non c'è problema|tranquillo|tranquilla|fai pure"
        r"|faccia pure|prego",
    ),
    agreeing=(
        r"sì|si|sì sì|già|esatto|esattamente|giusto|vero|è vero|infatti|appunto|ecco|certo"
        r"|certamente|davvero|wow|bello|ottimo|perfetto|fantastico|che bello|ah sì|ma dai"
        r"|figurati|naturalmente|ovviamente|interessante",
    ),
    commands=(
        r"no|basta|stop|fermo|ferma|fermati|si fermi|aspetta|aspetti|un attimo|un momento"
        r"|un secondo|attimo|momento|aiuto|silenzio|zitto|zitta|stai zitto|stia zitto|sta zitto"
        r"|basta così",
    ),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:grazie|per favore|certo|certamente|fallo|lo faccia|procedi"
        rf"|proceda))?",
        r"(?:ma )?(?:certo|certamente|sicuramente|assolutamente|naturalmente|ovviamente"
        r"|senz'altro)"
        r"(?: (?:che )?sì)?|volentieri|molto volentieri|bene|benissimo|giusto|è giusto|corretto"
        r"|è corretto|esattamente|perché no|con piacere|prego|per favore|m+[\s-]*h+m+|mhm|ottimo"
        r"|procedi|proceda|procedi pure|proceda pure|fai pure|faccia pure|mi va bene"
        r"|per me va bene|direi di sì|penso di sì",
        r"(?:lo )?confermo|accetto|sono d'accordo|mi piacerebbe|lo voglio|lo vorrei|fallo"
        r"|lo faccia",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:grazie|per favore|aspetta|aspetti|non (?:ancora|ora|adesso"
        rf"|voglio)))?",
        r"(?:per ora|per adesso|per il momento|meglio|direi|assolutamente|certo che|penso"
        r"|credo)(?: di)? no|non (?:ancora|ora|adesso|oggi|proprio|farlo|lo faccia|è giusto"
        r"|è corretto|va bene|voglio|lo voglio|sono d'accordo|serve|mi va)|mai|mai più"
        r"|assolutamente no|neanche per sogno|basta|stop|aspetta|aspetti|un attimo|annulla"
        r"|annullalo|lo annulli|sbagliato|è sbagliato|lascia stare|lasci stare",
    ),
    unfinished=Unfinished(
        words=(
            r"e|ed|o|oppure|ma|però|perché|che|se|quando|mentre|come|anche|né|dunque|quindi"
            r"|siccome",
            r"il|lo|la|i|gli|le|l'|un|uno|una|un'|mio|mia|miei|mie|tuo|tua|nostro|nostra|vostro"
            r"|vostra|questo|questa|quel|quella|quei|ogni|molto|più",
            r"di|d'|a|ad|da|in|con|su|per|tra|fra|senza|verso|contro|del|dello|della|dei|degli"
            r"|delle|dell'|al|allo|alla|ai|agli|alle|all'|dal|dalla|dai|dall'|nel|nella|nei|nell'"
            r"|sul|sulla|sui|sull'",
            r"è|sono|era|ho|c'è|mi|ti|ci|vi",
            r"ehm+|uhm+|cioè|diciamo|insomma|tipo",
        ),
        endings=(
            r"(?:^|[,;.] *|\be )(?:allora|poi|inoltre)",
            r"\b(?:vorrei|voglio|vogliamo|cerco|mi serve|ho bisogno|avrei bisogno|mi piacerebbe"
            r"|devo|dobbiamo|mi chiamo|il mio nome è|sto cercando)",
            r"(?:^|[,;.] *|\be )(?:mi )?(?:puoi|può|potresti|potrebbe)(?: per favore)?",
        ),
        whole=(
            # "Che ore sono?", "Chi è?", "Non so cos'è." "Sì, lo è." "Ecco dove sono."
            r"\b(?:chi|cosa|qual|dov|com|quant|che ore|che ora|dove|come|quanti|quante|quali"
            r"|quando|lo|la|sì|no|così|che cosa|ciò che|quello che|qui|ci)[' ]*(?:è|sono|era"
            r"|c'è)[.!?]*$",
            r"\b(?:cos|dov|com|quand|qual)'? ?(?:è|era)[.!?]*$",
            r"\b(?:che|quanti|quante) \w+ (?:è|sono|era)[.!?]*$",
            # "Questo è ciò che voglio.", "tutto quello che cerco", "se devo"
            r"\b(?:che|se|quando|come|dove|quanto|non|ne|lo|la|li|le|sì) (?:vorrei|voglio"
            r"|vogliamo|cerco|mi serve|devo|dobbiamo|ho|sono|può|puoi)[.!?]*$",
            # "Non ne voglio più.", "di più", "Niente più", "Anche."
            r"\b(?:di|non|niente|nulla|mai|sempre|tanto|molto|poco|uno|una|ancora|\w+o"
            r"|\w+are) (?:più|molto)[.!?]+$",
            r"\b(?:questo|questa|mio|mia|tuo|tua|uno|una|nostro|nostra)[.!?]+$",
            r"^(?:perché|come|quando|anche|molto)[.!?]+$|\b(?:perché|come|quando)\?$",
            # "E poi?", "Vieni su.", "Opzione A."
            r"\be (?:poi|allora)\?$|\b(?:vieni|vai|vado|vengo|tira\w*|alza\w*|dai"
            r"|torna) su[.!?]*$",
            r"\b(?:opzione|piano|lettera|gruppo|punto|vitamina|sala|porta) \w[.!?]*$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        also_answers=(_UNTIL,),
        also_hello=(r"ciao|salve|buonasera|buona sera",),
        phrases=(
            rf"{_BYE}(?: {_BYE})*",
            _UNTIL,
            rf"(?:ci vediamo|ci sentiamo|ci risentiamo|alla prossima)(?: (?:a )?{_WHEN}| allora)?",
            r"(?:per favore )?(?:riaggancia|riagganci|riattacca|riattacchi|(?:chiudi|chiuda"
            r"|termina|termini)"
            r" la (?:chiamata|telefonata))(?: per favore| adesso| ora| pure)?",
            r"(?:puoi|può) (?:pure )?(?:riagganciare|riattaccare|(?:chiudere|terminare)"
            r" la (?:chiamata|telefonata))(?: adesso| ora| per favore)?",
            r"(?:ora |adesso )?(?:devo|dovrei) (?:proprio )?(?:andare|scappare|riattaccare"
            r"|riagganciare|chiudere|salutarti|salutarla|lasciarti|lasciarla)(?: ora| adesso"
            r"| via)?",
            r"(?:ora |adesso )?(?:vado|scappo|riattacco|riaggancio|chiudo|ti saluto|la saluto"
            r"|ti lascio|la lascio)"
            r"(?: ora| adesso)?",
            r"(?:ti auguro |le auguro |passa |passi )?(?:una )?buona (?:giornata|serata|domenica"
            r"|settimana|continuazione)|(?:un )?buon (?:fine settimana|weekend|pomeriggio"
            r"|proseguimento)",
            r"stammi bene|abbi cura di te|si riguardi|riguardati|saluti",
        ),
        polite=(
            r"no|sì|si|ok|okay|va bene|bene|benissimo|allora|perfetto|ottimo|d'accordo|certo|ah"
            r"|oh|beh|ecco|e|per favore|fantastico|bello|capito|altrettanto|anche a (?:te|lei)"
            r"|gentilissim[oa]|dunque|quindi",
            r"(?:no |sì )?(?:grazie(?: (?:mille|tante|ancora|infinite|di tutto|a (?:te|lei)))*"
            r"|molte grazie|ti ringrazio|la ringrazio)(?: (?:per|dell)'?(?: il tuo| il suo"
            r"| l)?'?aiuto| per tutto)?",
            r"(?:è|era|sarebbe|questo è) tutto(?: per (?:oggi|ora|adesso))?|nient'altro"
            r"|basta così|ho finito|abbiamo finito|mi scusi|scusa|scusi",
        ),
        thanks=(r"grazie|ringrazio",),
        named=(rf"(?:{_BYE}|a presto|a domani|a dopo)(?: mio| mia| cara?o?| signora?e?)*",),
        not_names=(
            r"è|sono|era|il|lo|la|i|gli|le|un|una|di|a|da|in|con|su|per|e|o|ma|che|chi|cosa|come"
            r"|dove|quando|perché|non|anche|questo|questa|significa|dire|dice|canzone|parola|oggi"
            r"|ancora|se|del|della|mi|ti|ci|tutti",
        ),
        about_words=(
            r"dice|dire|dici|detto|dica|significa|vuol dire|tradu\w+|traduzione|parol[ae]"
            r"|sillab\w+|ripet\w+|ripeti|pronunci\w+|espressione|frase|in (?:italiano|inglese"
            r"|francese|tedesco|spagnolo)",
        ),
        asking=(r"che|cosa|cos|quale|quali|qual|chi|dove|quando|come|perché",),
        offering=(
            r"altro|aiutare|aiutarl[ao]|aiutarti|aiuto|ancora|posso fare|come (?:sta|stai|va)|c'è",
        ),
    ),
)
