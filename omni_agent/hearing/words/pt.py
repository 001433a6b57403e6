"""Portuguese, of Brazil and of Portugal."""

from omni_agent.hearing.words import Farewells, Unfinished, Words

_BYE = r"(?:tchau(?:zinho)?|adeus|ciao|xau|até|bye)"
_WHEN = (
    r"(?:logo|breve|já|amanhã|mais|mais logo|mais tarde|depois|a próxima|outra hora|outro dia"
    r"|depois de amanhã|(?:segunda|terça|quarta|quinta|sexta)(?:-feira)?|sábado|domingo"
    r"|semana que vem|a semana que vem|para a semana|qualquer hora|em breve|então)"
)
_YES = r"(?:sim|ok|okay|claro|tá|tá bom|está bem|isso|pode|pode ser|certo|com certeza|aham|uhum|é)"
_NO = r"(?:não|nada|nem pensar|de jeito nenhum)"

WORDS = Words(
    hums=(
        r"m+[\s-]*h*m+",
        r"mhm",
        r"h+[uã]*m+|h+ã+",
        r"a+h+|oh+|aha+m?|uhum|uhm|hã|eh+|ué|u+h+[\s-]*huh",
    ),
    patient=(
        r"ok|okay|tá|tá bom|tá certo|tá bem|está bem|está bom|tudo bem|bem|bom|beleza|certo"
        r"|entendi|percebi|compreendo|entendo|claro|obrigad[oa]|muito obrigad[oa]|valeu"
        r"|sem problema|sem problemas|tranquilo|pode ser|com certeza|pois não|já percebi",
    ),
    agreeing=(
        r"sim|sim sim|é|é isso|isso|isso mesmo|isso aí|exato|exatamente|verdade|é verdade|pois"
        r"|pois é|pois claro|legal|nossa|uau|que bom|ótimo|óptimo|perfeito|fixe|bacana|sério|jura"
        r"|de verdade|ah é|ah sim|interessante|com certeza|claro que sim",
    ),
    commands=(
        r"não|para|pare|chega|basta|stop|espera|espere|peraí|espera aí|um momento|um momentinho"
        r"|um instante|um segundo|só um minuto|um minuto|momento|socorro|ajuda|silêncio"
        r"|cala a boca|cale-se|cala-te|quieto|quieta|calma",
    ),
    yes=(
        rf"{_YES}(?: {_YES})*(?: (?:por favor|obrigad[oa]|quero|faz favor|faça|faz isso|faça isso"
        rf"|mesmo|que sim))?",
        r"(?:com certeza|certamente|seguramente|evidentemente|exato|exatamente|isso mesmo"
        r"|perfeito|ótimo|óptimo|combinado|de acordo|está certo|está correto|correto|tá certo"
        r"|beleza|bora|vamos|pois sim|por favor|por que não|porque não|m+[\s-]*h+m+|mhm|tudo bem"
        r"|se faz favor|força|à vontade)",
        r"(?:pode|podes)(?: (?:fazer|reservar|confirmar|marcar|sim|continuar|seguir"
        r"|mandar))?(?: isso)?(?: sim)?|(?:eu )?(?:quero|aceito|concordo|confirmo)(?: sim)?"
        r"|(?:eu )?gostaria sim|faça(?: isso)?|faz(?: isso)?",
    ),
    no=(
        rf"{_NO}(?: {_NO})*(?: (?:obrigad[oa]|por favor|quero|precisa|é preciso|faça|faz isso"
        rf"|espera|espere))?",
        r"(?:ainda|agora|hoje|melhor|acho que|claro que|por enquanto|de momento|eu|isso"
        r"|é melhor) não|nunca|jamais|de modo nenhum|de forma nenhuma|nem pensar"
        r"|de maneira nenhuma|para|pare|chega|espera|espere|peraí|cancela|cancele|cancelar|errado"
        r"|está errado|deixa pra lá|deixe pra lá|deixa estar|um momento|tampouco|também não"
        r"|não (?:é isso|está certo|está correto|concordo|faça isso|agora|ainda|mesmo|senhora?)",
    ),
    unfinished=Unfinished(
        words=(
            r"e|ou|mas|porém|porque|que|se|quando|enquanto|como|embora|nem|pois",
            r"o|a|os|as|um|uma|uns|umas|meu|minha|meus|minhas|teu|tua|seu|sua|nosso|nossa|este"
            r"|esta|esse|essa|cada|muito|mais",
            r"de|em|com|por|para|pra|pro|sem|sobre|até|entre|desde|contra|do|da|dos|das|no|na|nos"
            r"|nas|ao|à|aos|às|pelo|pela|num|numa|dum|duma",
            r"é|são|era|sou|estou|está|me|te|lhe|eu",
            r"é+h+m*|tipo|quer dizer|ou seja|digamos",
        ),
        endings=(
            r"(?:^|[,;.] *|\be )(?:então|aí|além disso)|\be (?:depois|também)",
            r"\b(?:quero|queria|gostaria|queremos|gostaríamos|preciso|precisamos|procuro|vou"
            r"|vamos|tenho que|meu nome é|me chamo|chamo-me|estou procurando|estou à procura)",
            r"(?:^|[,;.] *|\be )(?:você )?(?:me )?(?:pode|podia|poderia|podes"
            r"|podias)(?: me)?(?: por favor)?",
        ),
        whole=(
            # "Que horas são?", "Não sei onde está.", "Tudo o que eu quero."
            r"\b(?:que|quem|qual|quais|onde|como|quando|quanto|quantos|horas|lá|aqui|ali|já|não"
            r"|sim|isso|assim|também|não sei|ele|ela|eles|elas|tudo|aí|pois|então|eu) (?:é|são"
            r"|era|sou|estou|está)[.!?]*$",
            r"^(?:é|está|a|e)[.!?]*$|\b(?:que|quantos|quantas) \w+ (?:é|são|era)[.!?]*$",
            r"\b(?:que|se|não|sim|quando|como|onde|também|o|a|os|as|já|lá|quanto"
            r"|mais) (?:eu )?(?:quero|queria|gostaria|queremos|preciso|precisamos|procuro|vou"
            r"|vamos|tenho que|posso|pode|poderia)[.!?]*$",
            # "Não quero mais.", "nada mais", "um pouco mais", "Gosto muito."
            r"\b(?:até|não|nada|algo|nunca|pouco|muito|tanto|uma vez|alguma coisa|um|uma|dois"
            r"|duas|três|que|\w+o|\w+a)"
            r" (?:mais|muito)[.!?]+$",
            r"\b(?:este|esta|esse|essa|meu|minha|teu|tua|seu|sua|nosso|nossa|uma|eu)[.!?]+$",
            r"\b(?:tem|tens|há|era|diz|pra) (?:um|uma|eu|que|quê)[.!?]+$",
            r"\b(?:para|pra|por|com) (?:quê|mim|ti|você)[.!?]*$",
            r"^(?:como|porque|quando|até|também|para)[.!?]+$|^(?:pode|quero|vou)[.!]+$|\b(?:como"
            r"|quando|porque)\?$",
            # "E depois?", "Opção A."
            r"\be (?:depois|então|aí|também)\?$",
            r"\b(?:opção|plano|letra|grupo|ponto|vitamina|hepatite|sala|porta) \w[.!?]*$",
            # "Obrigado, até!"
            r"(?:^|, ?)até[.!]*$",
        ),
    ),
    farewells=Farewells(
        bye=(_BYE,),
        also_answers=(rf"até {_WHEN}",),
        also_hello=(r"boa noite|boa tarde|boas",),
        phrases=(
            rf"{_BYE}(?: {_BYE})*",
            rf"(?:até|nos vemos|a gente se vê|a gente se fala|vemo-nos)(?: {_WHEN})?"
            rf"|falamos {_WHEN}",
            r"(?:por favor )?(?:(?:desliga|desligue) (?:a chamada|a ligação|o telefone)"
            r"|termina a chamada|termine a chamada|encerra a ligação|encerre a ligação"
            r"|encerra a chamada|encerre a chamada)(?: agora| já)?(?: por favor)?",
            r"(?:pode|podes|você pode)(?: já)? (?:desligar o telefone|(?:desligar|terminar"
            r"|encerrar) a (?:ligação|chamada))"
            r"(?: agora| já)?(?: por favor)?",
            r"(?:eu )?(?:tenho que|tenho de|preciso|devo)(?: me)? (?:ir|ir embora|desligar|correr"
            r"|sair)(?: agora| já)?",
            r"(?:eu )?(?:já )?(?:vou|vou-me|vou ter que|vou ter de)(?: ir)? (?:embora|desligar"
            r"|indo|andando|nessa)"
            r"(?: agora| já| então)?",
            r"(?:tenha|tem|tenhas) (?:um|uma) (?:bom|boa|ótimo|ótima|óptimo|excelente) (?:dia"
            r"|tarde|noite|fim de semana|semana|final de semana)|(?:um )?bom (?:dia para (?:você"
            r"|si|ti)|fim de semana|final de semana|resto de dia)"
            r"|(?:uma )?boa (?:tarde para (?:você|si|ti)|semana|continuação)",
            r"se cuida|cuide-se|cuida-te|passe bem|passar bem|(?:um )?abraço|abraços|beijos"
            r"|beijinhos",
        ),
        polite=(
            r"não|sim|ok|okay|tá|tá bom|está bem|bom|bem|então|certo|beleza|perfeito|ótimo|óptimo"
            r"|legal|claro|ah|oh|e|pois|por favor|se faz favor|tudo bem|combinado|pronto|fixe"
            r"|igualmente|para (?:você|si|ti) também|isso|maravilha|excelente|entendi"
            r"|pra você também|você também|de nada|olha",
            r"(?:não |sim )?(?:muito |muitíssimo )?obrigad[oa](?: (?:por tudo|pela ajuda|mesmo"
            r"|mais uma vez|de novo|viu|pela atenção|eu))?|valeu|grat[oa]|brigad[oa]|obrigadinho",
            r"(?:é|era|seria|isso é|foi) (?:só|tudo)(?: isso)?(?: por (?:hoje|agora|enquanto))?"
            r"|só isso|mais nada|é só isso|era só isso|nada mais|já terminei|acabei|desculpe?a?",
        ),
        thanks=(r"obrigad|valeu|brigad",),
        named=(
            rf"(?:{_BYE}|até logo|até breve|até amanhã|até mais|até já)(?: meu| minha| querid[oa]"
            rf"| senhora?| dona| seu)*",
        ),
        not_names=(
            r"é|são|era|o|a|os|as|um|uma|de|do|da|em|no|na|com|por|para|pra|e|ou|que|quê|quem"
            r"|qual|como|onde|quando|não|também|isso|este|esta|significa|diz|dizer|música|palavra"
            r"|hoje|ainda|se|mas|me|te|eu|você|lá|que",
        ),
        about_words=(
            r"diz|dizer|disse|diga|significa|quer dizer|traduz\w*|tradução|palavras?|soletr\w+"
            r"|repet\w+|repit\w+|pronunci\w+|expressão|frase|em (?:português|inglês|francês"
            r"|alemão|espanhol|italiano)",
        ),
        asking=(r"que|quê|qual|quais|quem|onde|quando|como|por que|porque|porquê",),
        offering=(
            r"mais|ajud\w+|posso fazer|outra coisa|algo mais|como (?:está|vai|estás)|tudo bem"
            r"|ainda (?:está|aí)",
        ),
    ),
)
