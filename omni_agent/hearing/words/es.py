"""Spanish."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

_BYE = r"(?:adi[oó]s|chao|chau|ciao|bye|agur|abur)"
_WHEN = (
    r"(?:luego|pronto|mañana|pasado mañana|la vista|la próxima|el próximo|ahora|entonces|después"
    r"|otra|otro día|siempre|el (?:lunes|martes|miércoles|jueves|viernes|sábado|domingo)"
    r"|la semana que viene|la próxima semana|esta (?:tarde|noche)|más tarde|más ver)"
)
_UNTIL = rf"hasta {_WHEN}"
_YES = r"(?:s[ií]|vale|claro|okay|ok|bueno|dale|exacto|sip|perfecto)"
_NO = r"(?:no|nop|nope|qué va|para nada)"

WORDS = Words(
    hums=(r"m+[\s-]*h*m+", r"mhm", r"h+m+", r"a+h+|oh+|aj[aá]+|aha+|uy+|eh+|u+h+[\s-]*huh"),
    patient=(
        r"ok|okay|vale|bueno|bien|muy bien|está bien|de acuerdo|entiendo|ya|ya veo|ya entiendo"
        r"|entendido|claro|gracias|muchas gracias|sin problema|no hay problema|tranquilo"
        r"|tranquila",
    ),
    agreeing=(
        r"s[ií]|sí sí|claro que sí|exacto|exactamente|eso|eso es|cierto|es cierto|verdad"
        r"|es verdad|así es|guau|genial|qué bien|qué bueno|estupendo|perfecto|en serio|de verdad"
        r"|vaya|ah ya|ah sí|por supuesto|desde luego|dale",
    ),
    commands=(
        r"no|para|pare|basta|alto|espera|espere|espérate|un momento|momento|un segundo"
        r"|un momentito|ayuda|socorro|silencio|cállate|cállese|calla|ya basta|suficiente|detente"
        r"|deténgase|stop",
    ),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:por favor|por supuesto|que sí|hazlo|hágalo|adelante"
        rf"|gracias))?",
        r"(?:por supuesto|desde luego|claro|seguro|cómo no|efectivamente)(?: que sí)?|adelante"
        r"|de acuerdo|está bien|muy bien|bien|correcto|es correcto|así es|eso es|perfecto"
        r"|con gusto|por qué no|me parece bien|de una|venga|m+[\s-]*h+m+|mhm|aj[aá]+|genial"
        r"|exactamente",
        r"(?:por favor )?(?:hazlo|hágalo|házlo|confírmalo|confírmelo|resérvalo"
        r"|resérvelo)(?: por favor)?",
        r"(?:lo )?confirmo|acepto|estoy de acuerdo|quiero|lo quiero|sí quiero|por favor",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:gracias|por favor|todavía|aún|ahora|quiero|lo hagas|lo haga"
        rf"|espera))?",
        r"(?:todavía|aún|ahora|mejor|claro que|por supuesto que|creo que|de momento|por ahora) no"
        r"|nunca|jamás|de ninguna manera|en absoluto|ni hablar|para|basta|espera|espere|cancela"
        r"|cancélalo|cancélelo|cancelar|incorrecto|tampoco|gracias no|un momento",
        r"no (?:es correcto|está bien|es así|estoy de acuerdo|hace falta|es necesario|me parece)",
        r"(?:por favor )?no lo (?:hagas|haga|reserves|reserve|confirmes|confirme)(?: por favor)?",
    ),
    unfinished=Unfinished(
        words=(
            r"y|e|o|u|pero|porque|que|si|sino|aunque|cuando|mientras|como|ni",
            r"el|la|los|las|un|una|unos|unas|mi|mis|tu|tus|su|sus|nuestro|nuestra|este|esta|ese"
            r"|esa|cada|al|del|lo|muy|más",
            r"a|de|en|con|por|para|sin|sobre|desde|hasta|entre|hacia|según|contra",
            r"es|son|era|soy|estoy",
            r"e+h*m+|e{2,}h+|este{2,}|o sea|es decir|digamos|me|te|se|le|nos",
        ),
        endings=(
            r"(?:^|[,;.] *|\by )(?:entonces|además|así que)|\by (?:luego|también)",
            r"\b(?:quiero|quisiera|queremos|necesito|necesitamos|busco|me gustaría|puedo|podemos)",
            r"(?:^|[,;.] *|\by )(?:me )?(?:puedes?|podrías?|podría usted)(?: por favor)?",
            r"\b(?:me llamo|mi nombre es|tengo que|voy a|vamos a|hay que)",
            r"(?:^|[,;.] *)por favor,? (?:pon|llama|manda|envía|dime|reserva|busca|enciende"
            r"|apaga)",
        ),
        whole=(
            # "¿Cuál es?", "No sé quién es.", "Sí, lo es.", "Aquí estoy."
            r"\b(?:qué|cuál|cuáles|quién|quiénes|cómo|dónde|cuándo|cuánto|lo|así|sí|no|ya|aquí"
            r"|allí|eso|todo)"
            r" (?:es|son|era|soy|estoy)[.!?]*$",
            r"\b(?:quién|cómo|dónde|qué) (?:soy|estoy)[.!?]*$",
            # "¿Y tú para qué?" ends in "qué", which no word above does; "quiero más", "nada más"
            r"\b(?:nada|algo|una vez|quiero|mucho|poco|un poco|alguna cosa|uno|una|dos|tres"
            r"|qué) más[.!?]*$",
            # "Eso es lo que quiero.", "todo lo que necesito", "si puedo"
            r"\b(?:que|si|no|sí|cuando|donde|como|lo|la|los|las|te|más) (?:quiero|quisiera"
            r"|necesito|busco|puedo|podemos|queremos|necesitamos|me gustaría)[.!?]*$",
            r"\b(?:este|esta|ese|esa)[.!?]+$|^(?:si|para)[.!]*$",
            r"\b(?:qué|cuántos|cuántas|de quién) \w+ (?:es|son|era)[.!?]*$",
            # "¿Y entonces?", "Opción A."
            r"\by (?:entonces|luego|además)\?$",
            r"\b(?:opción|plan|letra|grupo|punto|vitamina|hepatitis|sala|puerta) \w[.!?]*$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        also_answers=(_UNTIL,),
        also_hello=(r"buenas noches|buenas tardes|buenas|saludos",),
        phrases=(
            rf"{_BYE}(?: {_BYE})*",
            rf"{_UNTIL}|nos vemos(?: {_WHEN})?",
            rf"(?:hablamos|nos hablamos|te veo|le veo)(?: {_WHEN}| por la mañana)",
            r"(?:por favor )?(?:cuelga|cuelgue|termina la llamada|termine la llamada)(?: ya"
            r"| ahora)?"
            r"(?: por favor)?",
            r"(?:ya )?(?:puedes|puede)(?: ya)? (?:colgar|terminar la llamada)(?: ya| ahora)?",
            r"(?:me tengo que|tengo que|me debo|debo) (?:ir|irme|marchar|marcharme|colgar)(?: ya"
            r"| ahora)?",
            r"(?:ya )?me (?:voy|marcho|despido)(?: ya)?|voy a colgar(?: ya| ahora)?|cuelgo",
            r"que (?:tenga|tengas|pase|pases|te vaya|le vaya)(?: (?:un|una))?"
            r" (?:muy )?(?:buen|buena|bien|feliz|lindo|bonito)(?: (?:día|tarde|noche"
            r"|fin de semana))?",
            r"(?:buen|feliz) (?:día|fin de semana)|buena tarde|feliz (?:tarde|noche)",
            r"cuídate(?: mucho)?|cuídese(?: mucho)?|un (?:abrazo|saludo)",
        ),
        polite=(
            r"no|sí|si|bueno|bien|vale|ok|okay|pues|entonces|ya|perfecto|genial|estupendo"
            r"|muy bien|claro|ah|oh|por favor|y|de acuerdo|listo|excelente|pues nada|venga"
            r"|igualmente|muy amable",
            r"(?:no |sí )?(?:muchas |muchísimas |mil )?gracias(?: por todo| por (?:tu|su"
            r"|la) ayuda| de nuevo)?",
            r"(?:eso|esto) (?:es|era|sería|fue) todo(?: por (?:hoy|ahora))?|nada más|eso es todo"
            r"|es todo|ya está|he terminado|ya terminé|lo siento|perdón",
        ),
        thanks=(r"gracias",),
        named=(
            rf"(?:{_BYE}|hasta luego|hasta pronto|hasta mañana|cuídate|nos vemos)(?: mi"
            rf"| querid[oa]| señora?| don| doña)*",
        ),
        not_names=(
            r"es|era|son|el|la|los|las|un|una|de|en|a|con|por|para|y|o|que|qué|cómo|quién|dónde"
            r"|cuándo|no|eso|este|esta|significa|dice|decir|canción|palabra|también|todavía|hoy"
            r"|si|pero|se|me|te",
        ),
        about_words=(
            r"dice|decir|dices|dijo|diga|significa|traduc\w+|palabras?|deletre\w+|repit\w+"
            r"|repet\w+|pronunci\w+|expresión|frase|en (?:español|inglés|francés|alemán|italiano)",
        ),
        asking=(r"qué|cuál|cuáles|quién|quiénes|dónde|cuándo|cómo|por qué",),
        offering=(
            r"más|algo más|ayudar\w*|ayuda|servir\w*|puedo hacer|cómo está[s]?|sigue[s]? ahí",
        ),
    ),
)
