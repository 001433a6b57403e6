"""What people say in each language, and what it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What is said in one language, and what it is.

    turns: what is no listening noise. word: a goodbye, and what asks for it or does not.
    """

    noises: tuple[str, ...]
    turns: tuple[str, ...]
    patience: tuple[str, ...]
    commands: tuple[str, ...]
    unfinished: tuple[str, ...]
    finished: tuple[str, ...]
    farewells: tuple[str, ...]
    no_farewells: tuple[str, ...]
    yes: tuple[str, ...]
    no: tuple[str, ...]
    neither: tuple[str, ...]
    word: str
    asks_for_the_word: str
    offers: str


SAID = {
    "en": Said(
        noises=("Mm-hm.", "Yeah, right.", "I see."),
        turns=("What?", "Yes, but later", "No."),
        patience=("Okay, thanks.",),
        commands=("Stop!", "Wait."),
        unfinished=("Set a timer for", "I'd like to", "My name is"),
        finished=("Set a timer.", "What time is it?"),
        farewells=("Thanks, bye.", "Goodbye, Mira."),
        no_farewells=("Hello.", "Say goodbye in French."),
        yes=(
            "Yes.", "Yes, please.", "Yeah, yeah.", "Okay, go ahead.", "Sure, do it.", "Mm-hm.",
            "That's right.", "Of course!", "Yes. Thank you.", "Yes yes please", "I'd love to.",
            "Sounds good.", "Oh yes.", "Well, okay then, yes.",
        ),
        no=(
            "No.", "No, thanks.", "Nope.", "Not now.", "Don't do that.", "Please don't.",
            "No, wait.", "No no no", "I'd rather not.", "Never mind.", "Cancel that.",
        ),
        neither=(
            "", "Yes, but make it eight.", "What does it cost?", "Yes. No.", "Hmm.", "Thanks.",
            "At eight.", "No, at eight.", "Yes to the first.", "I don't know.", "Maybe.",
        ),
        word="Goodbye.",
        asks_for_the_word="How do you say auf Wiedersehen?",
        offers="Is there anything else?",
    ),
    "de": Said(
        noises=("Mhm.", "Ja, genau.", "Ach so.", "Okay, alles klar.", "Hm.", "Stimmt.", "Jaja."),
        turns=("Nein.", "Was?", "Ja, aber nicht heute", "Moment mal", "Halt!"),
        patience=("Okay.", "Alles klar, danke.", "Verstanden.", "Mhm."),
        commands=(
            "Stopp!", "Halt.", "Warte!", "Einen Moment.", "Moment mal", "Nein.", "Sei still!",
        ),
        unfinished=(
            "Stell einen Wecker auf acht Uhr und", "Ich hätte gern einen Tisch für",
            "Mein Name ist", "Ich möchte gern", "Wie wird das Wetter in", "Können Sie mir bitte",
            "Ich suche ein", "Weil", "Das Zimmer mit", "Also, ähm", "Und dann ...",
            "Erinnere mich", "Ich würde gerne", "Ein Tisch auf der", "Ich weiß, dass",
            "Die Nummer ist",
        ),
        finished=(
            "Stell einen Wecker auf acht Uhr.", "Mach das Licht an.", "Mach das Licht aus",
            "Schalte das Licht ein.", "Kommst du mit?", "Nehmen Sie mich mit.", "Was ist das?",
            "Ich nehme den.", "Mach bitte die Tür zu.", "Das ist alles, was ich brauche.",
            "Hallo.", "Wie spät ist es?", "Ja, bitte.", "Das möchte ich gerne.", "Und dann?",
            "Ich steige hier ein.", "Danke sehr.",
        ),
        farewells=(
            "Tschüss!", "Auf Wiedersehen.", "Danke, tschüss.", "Tschüss, Mira!",
            "Auf Wiederhören.", "Bis morgen!", "Ja, danke, das war's. Tschüss.",
            "Vielen Dank für Ihre Hilfe, ciao.", "Ich muss jetzt los.", "Leg bitte auf.",
            "Sie können auflegen.", "Gute Nacht, Mira.", "Schönen Tag noch!",
            "Einen schönen Abend noch.", "Nein danke, das ist alles, tschüss", "Wir hören uns.",
            "Ich wünsche Ihnen ein schönes Wochenende.", "Mach's gut!", "Also dann, bis bald.",
            "Danke, servus!", "Tschau tschau",
        ),
        no_farewells=(
            "Danke.", "Das war's.", "Servus!", "Guten Abend.", "Bis wann haben Sie offen?",
            "Was heißt tschüss?", "Sag tschüss zu ihr.", "Bis morgen brauche ich ein Zimmer.",
            "Tschüss, aber vorher: wie spät ist es?", "Ich muss los, wann fährt der Bus?",
            "Leg das Buch auf den Tisch.", "Morgen.", "Ist morgen ein schöner Tag?",
        ),
        yes=(
            "Ja.", "Ja, bitte.", "Ja, gerne.", "Gern.", "Okay, mach das.", "Klar!", "Genau.",
            "Auf jeden Fall.", "Mhm.", "Ja ja.", "Natürlich.", "In Ordnung.", "Das passt.",
            "Machen Sie das bitte.", "Ja, danke.", "Ja bitte, vielen Dank.", "Doch.", "Bitte.",
        ),
        no=(
            "Nein.", "Nein, danke.", "Nee.", "Lieber nicht.", "Noch nicht.", "Auf keinen Fall.",
            "Bitte nicht.", "Nein, warte.", "Das stimmt nicht.", "Stopp!", "Mach das nicht.",
            "Nein nein.", "Das möchte ich nicht.",
        ),
        neither=(
            "", "Ja, aber um acht.", "Was kostet das?", "Ja. Nein.", "Hm.", "Danke.", "Um acht.",
            "Nein, um acht Uhr.", "Vielleicht.", "Ich weiß nicht.",
        ),
        word="Tschüss.",
        asks_for_the_word="Wie sagt man goodbye auf Deutsch?",
        offers="Kann ich sonst noch etwas für Sie tun?",
    ),
    "es": Said(
        noises=(
            "Mhm.", "Sí, sí.", "Ajá.", "Vale, vale.", "Claro.", "Ya veo.", "Exacto.", "¡Genial!",
        ),
        turns=("No.", "¿Qué?", "Sí, pero hoy no", "Espera", "¡Para!"),
        patience=("Vale.", "De acuerdo, gracias.", "Está bien.", "Bueno."),
        commands=("¡Para!", "¡Espera!", "Un momento.", "¡Basta!", "No.", "Cállate."),
        unfinished=(
            "Pon una alarma para", "Quiero reservar una mesa para", "Me llamo", "Mi nombre es",
            "Me gustaría", "¿Qué tiempo hace en", "¿Me puedes", "Y entonces", "Necesito un",
            "Porque", "Una habitación con", "Quisiera", "Pues, eem", "Sé que", "Busco el",
        ),
        finished=(
            "Pon una alarma para las ocho.", "¿Qué hora es?", "¿Quién es?",
            "Eso es lo que quiero.", "Hola.", "No quiero más.", "Nada más.", "Sí, por favor.",
            "¿Dónde estoy?", "Creo que sí.", "¿Y entonces?", "Quiero esta.", "¿Por qué?",
            "La opción A.", "Enciende la luz.",
        ),
        farewells=(
            "¡Adiós!", "Adiós, Mira.", "Gracias, adiós.", "Hasta luego.", "¡Hasta mañana!",
            "Chao.", "Nos vemos.", "Muchas gracias por tu ayuda. ¡Hasta pronto!",
            "Me tengo que ir.", "Puedes colgar.", "Eso es todo, gracias, adiós.",
            "Que tengas un buen día.", "No, gracias, nada más. Adiós.", "Cuídate, chao.",
            "Gracias, buenas noches.", "Por favor, cuelga.", "Hasta el lunes.",
            "Que le vaya bien.", "Buen fin de semana.",
        ),
        no_farewells=(
            "Gracias.", "Eso es todo.", "Buenas noches.", "Buenas tardes.",
            "¿Hasta cuándo abren?", "¿Cómo se dice adiós en inglés?", "Dile adiós a Ana.",
            "Hasta mañana no puedo.", "Adiós, pero antes, ¿qué hora es?",
            "Me tengo que ir al banco.", "Mañana.", "Buenas noches, quiero una mesa.",
        ),
        yes=(
            "Sí.", "Sí, por favor.", "Vale.", "Claro que sí.", "Por supuesto.", "De acuerdo.",
            "Sí, sí, adelante.", "Hazlo.", "Correcto.", "Perfecto.", "Sí, gracias.", "Dale.",
            "Si.", "Ajá.", "Cómo no.",
        ),
        no=(
            "No.", "No, gracias.", "No, no.", "Todavía no.", "Mejor no.", "Para nada.", "Espera.",
            "No lo hagas.", "Ahora no.", "No es correcto.", "Cancélalo.",
        ),
        neither=(
            "", "Sí, pero a las ocho.", "¿Cuánto cuesta?", "Sí. No.", "Mmm.", "Gracias.",
            "Quizás.", "A las ocho.", "No, a las ocho.", "No sé.",
        ),
        word="Adiós.",
        asks_for_the_word="¿Cómo se dice goodbye en español?",
        offers="¿Puedo ayudarle en algo más?",
    ),
    "fr": Said(
        noises=(
            "Mm-hm.", "Oui, oui.", "D'accord.", "Ah bon ?", "Je vois.", "Exactement.", "Ouais.",
        ),
        turns=("Non.", "Quoi ?", "Oui, mais pas ce soir", "Attends", "Arrête !"),
        patience=("D'accord, merci.", "Ok.", "Très bien.", "Pas de souci."),
        commands=("Stop !", "Arrêtez !", "Attendez.", "Un instant.", "Non.", "Ça suffit !"),
        unfinished=(
            "Mets un réveil pour", "Je voudrais", "Je m'appelle", "Quel temps fait-il à",
            "Est-ce que", "Et puis", "Je cherche une", "Parce que", "Une chambre avec",
            "Pouvez-vous", "Alors, euh", "Je pense que", "J'ai besoin de", "Mon nom est",
            "Il y a un problème avec le", "Je veux réserver une table pour",
        ),
        finished=(
            "Mets un réveil à huit heures.", "Quelle heure est-il ?", "Où suis-je ?", "Bonjour.",
            "Allume la lumière.", "Prends-le.", "Allez-vous-en.", "C'est tout ce que je veux.",
            "Je suis contre.", "Moi aussi.", "Oui, s'il vous plaît.", "Coupe le son.",
            "Qu'est-ce que c'est ?", "Et alors ?", "Bien sûr que oui.", "Je sais qui est là.",
        ),
        farewells=(
            "Au revoir !", "Au revoir, Mira.", "Merci, au revoir.", "À bientôt.", "À demain !",
            "Bonne journée !", "Merci beaucoup pour votre aide, bonne soirée.", "Bonne nuit.",
            "Je dois y aller.", "Vous pouvez raccrocher.", "Non merci, c'est tout. Au revoir.",
            "Merci, salut.", "D'accord, salut !", "Ciao ciao", "Raccroche, s'il te plaît.",
            "Passez une bonne journée.", "À lundi.", "Je te laisse.",
        ),
        no_farewells=(
            "Merci.", "C'est tout.", "Salut !", "Salut, ça va ?", "Bonsoir.", "À quelle heure ?",
            "Comment dit-on au revoir en anglais ?", "Dis au revoir à Anne.", "Demain.",
            "Au revoir, mais d'abord, quelle heure est-il ?", "Je dois aller à la banque.",
            "À demain matin neuf heures, le réveil.", "Ah, salut !",
        ),
        yes=(
            "Oui.", "Oui, s'il vous plaît.", "Ouais.", "D'accord.", "Bien sûr.", "Volontiers.",
            "Oui oui, allez-y.", "Avec plaisir.", "C'est ça.", "Ok.", "Oui, merci.",
            "Tout à fait.", "Pourquoi pas ?", "Mm-hm.", "Faites-le.", "Je veux bien.",
        ),
        no=(
            "Non.", "Non merci.", "Non, non.", "Pas maintenant.", "Pas encore.", "Surtout pas.",
            "Attendez.", "Ce n'est pas ça.", "Annulez.", "Bien sûr que non.", "Je ne veux pas.",
        ),
        neither=(
            "", "Oui, mais à huit heures.", "Combien ça coûte ?", "Oui. Non.", "Hum.", "Merci.",
            "À huit heures.", "Non, à huit heures.", "Peut-être.", "Je ne sais pas.",
        ),
        word="Au revoir.",
        asks_for_the_word="Comment dit-on goodbye en français ?",
        offers="Puis-je faire autre chose pour vous ?",
    ),
    "it": Said(
        noises=("Mhm.", "Sì, sì.", "Certo.", "Va bene.", "Ah, capisco.", "Esatto.", "Davvero?"),
        turns=("No.", "Cosa?", "Sì, ma non oggi", "Aspetta", "Fermati!"),
        patience=("Va bene, grazie.", "Ok.", "D'accordo.", "Certo."),
        commands=("Fermati!", "Aspetta!", "Basta!", "Un attimo.", "Un momento.", "No.", "Zitto!"),
        unfinished=(
            "Metti una sveglia per", "Vorrei prenotare un tavolo per", "Mi chiamo",
            "Che tempo fa a", "Vorrei", "E poi", "Puoi", "Perché la", "Una camera con",
            "Cerco un", "Il mio nome è", "Allora, ehm", "Penso che", "Ho bisogno",
            "Il problema del",
        ),
        finished=(
            "Metti una sveglia alle otto.", "Che ore sono?", "Chi è?", "Dov'è?", "Ciao.",
            "Accendi la luce.", "È quello che voglio.", "Sì, per favore.", "Prendo questo.",
            "E poi?", "Perché?", "Non ne voglio più.", "Vieni su.", "Non so cos'è.", "Opzione A.",
        ),
        farewells=(
            "Arrivederci!", "Arrivederci, Mira.", "Grazie, arrivederci.", "A domani!",
            "A presto.", "Buonanotte.", "Grazie, ciao.", "Ok, ciao!", "Ciao ciao.",
            "Buona giornata!", "Devo andare.", "Puoi riagganciare.",
            "No grazie, è tutto. Arrivederci.", "Ci sentiamo domani.", "Va bene, ci vediamo.",
            "Grazie mille, buona serata.", "Buon fine settimana!", "Ti saluto.",
            "Grazie a lei, arrivederla.",
        ),
        no_farewells=(
            "Grazie.", "È tutto.", "Ciao!", "Ciao, Mira.", "Buonasera.", "A che ora?", "Salve.",
            "Come si dice arrivederci in inglese?", "Di' arrivederci ad Anna.", "Domani.",
            "Arrivederci, ma prima, che ore sono?", "Devo andare in banca.",
            "A domani mattina la sveglia.",
        ),
        yes=(
            "Sì.", "Sì, grazie.", "Certo.", "Va bene.", "D'accordo.", "Volentieri.", "Esatto.",
            "Sì sì, procedi.", "Perché no?", "Con piacere.", "Ok.", "Sì, per favore.", "Si.",
            "Senz'altro.", "Lo faccia.",
        ),
        no=(
            "No.", "No, grazie.", "No no.", "Non ancora.", "Non adesso.", "Meglio di no.",
            "Aspetta.", "Assolutamente no.", "Annulla.", "Lascia stare.", "Non è giusto.",
        ),
        neither=(
            "", "Sì, ma alle otto.", "Quanto costa?", "Sì. No.", "Hmm.", "Grazie.", "Alle otto.",
            "No, alle otto.", "Forse.", "Non lo so.",
        ),
        word="Arrivederci.",
        asks_for_the_word="Come si dice goodbye in italiano?",
        offers="Posso aiutarla in altro?",
    ),
    "pt": Said(
        noises=("Mhm.", "Sim, sim.", "Tá bom.", "Aham.", "Pois é.", "Entendi.", "Isso mesmo."),
        turns=("Não.", "O quê?", "Sim, mas hoje não", "Espera", "Para!"),
        patience=("Tá bom, obrigado.", "Ok.", "Está bem.", "Tudo bem."),
        commands=("Para!", "Espera!", "Chega!", "Um momento.", "Só um minuto.", "Não."),
        unfinished=(
            "Põe um alarme para", "Quero reservar uma mesa para", "Meu nome é", "Chamo-me",
            "Como está o tempo em", "Eu gostaria", "Você pode", "E depois", "Preciso de um",
            "Porque a", "Um quarto com", "Acho que", "Queria", "Então, éhm", "O problema do",
        ),
        finished=(
            "Põe um alarme para as oito.", "Que horas são?", "Quem é?", "Onde está?", "Olá.",
            "Acende a luz.", "É tudo o que eu quero.", "Sim, por favor.", "Não quero mais.",
            "Eu quero esta.", "E depois?", "Já vou.", "Aqui está.", "Para mim.", "Opção A.",
        ),
        farewells=(
            "Tchau!", "Tchau, Mira.", "Obrigado, tchau.", "Até logo.", "Até amanhã!", "Adeus.",
            "Obrigada, boa noite.", "Até mais!", "Tenha um bom dia.", "Tenho que ir.",
            "Pode desligar a chamada.", "Não, obrigado, é só isso. Tchau.",
            "Muito obrigada pela ajuda, adeus.", "Nos vemos amanhã.", "Bom fim de semana!",
            "Um abraço.", "Está bem, até já.", "Tchau tchau", "Se cuida, tchau.",
            "Vou desligar agora.",
        ),
        no_farewells=(
            "Obrigado.", "É só isso.", "Boa noite.", "Boa tarde!", "Até quando abre?", "Valeu!",
            "Como se diz tchau em inglês?", "Diz adeus à Ana.", "Amanhã.",
            "Até amanhã eu preciso disso.", "Tchau, mas antes, que horas são?",
            "Tenho que ir ao banco.", "Boa noite, queria uma mesa.",
        ),
        yes=(
            "Sim.", "Sim, por favor.", "Pode ser.", "Claro que sim.", "Com certeza.", "Tá bom.",
            "Isso mesmo.", "Pode.", "Quero sim.", "Aham.", "Está certo.", "Sim, obrigado.", "É.",
            "Perfeito.", "Pode reservar.",
        ),
        no=(
            "Não.", "Não, obrigado.", "Não não.", "Ainda não.", "Agora não.", "Melhor não.",
            "Espera.", "De jeito nenhum.", "Cancela.", "Não quero.", "Não é isso.",
        ),
        neither=(
            "", "Sim, mas às oito.", "Quanto custa?", "Sim. Não.", "Hmm.", "Obrigado.",
            "Às oito.", "Não, às oito.", "Talvez.", "Não sei.",
        ),
        word="Tchau.",
        asks_for_the_word="Como se diz goodbye em português?",
        offers="Posso ajudar em mais alguma coisa?",
    ),
    "zh": Said(
        noises=(
            "嗯。", "嗯嗯", "好的", "嗯，好的。", "对对对", "是的是的", "哦，这样啊", "明白了",
            "對啊", "没错",
        ),
        turns=("不要", "什么？", "好的但是今天不行", "等一下", "停！"),
        patience=("好的", "嗯，好的，谢谢", "没问题", "知道了", "好 的"),
        commands=("停！", "等一下。", "不要！", "等等", "别说了", "停 下来", "閉嘴"),
        unfinished=(
            "帮我订一个闹钟然后", "我想要", "我的名字是", "请问", "因为", "还有", "帮我",
            "电话号码是", "如果明天下雨的话", "我想预订房间，但是", "我要一个房间和", "那个",
            "提醒我", "我想要嗯",
        ),
        finished=(
            "现在几点？", "明天天气怎么样？", "帮我订一个八点的闹钟。", "你好", "好的", "是的",
            "对", "我要这个。", "他在", "没告诉我。", "八点。", "你在哪里", "嗯",
        ),
        farewells=(
            "再见！", "拜拜", "拜拜拜拜", "好的，谢谢，再见。", "好的谢谢再见", "再见，米拉。",
            "明天见", "晚安", "没事了，再见", "谢谢你的帮助，拜拜。", "我先挂了。",
            "可以挂电话了", "我要走了", "那就这样，再见。", "下次再聊", "祝你愉快，再见", "再見",
            "保重", "麻烦你挂断电话吧", "周一见",
        ),
        no_farewells=(
            "谢谢", "你好", "再见用英语怎么说？", "再见，今天天气怎么样", "明天", "没事了",
            "好的", "就这样吧", "谢谢，订房间，再见", "跟妈妈说再见", "我要走哪条路",
            "把画挂在墙上", "晚安是什么意思",
        ),
        yes=(
            "好的。", "是的", "可以", "嗯", "对", "好的，谢谢", "没问题", "当然可以", "好啊",
            "行", "好的谢谢", "是的，没错", "請", "嗯好的", "那就这样吧",
        ),
        no=(
            "不用了", "不用，谢谢", "不要", "不是", "不行", "算了", "不对", "等一下",
            "不用了谢谢", "还没有", "先不要", "不了",
        ),
        neither=(
            "", "好的，但是八点", "多少钱？", "谢谢", "不好意思", "八点", "我不知道", "不是八点",
            "也许", "是的，不是", "可以改到八点吗",
        ),
        word="拜拜。",
        asks_for_the_word="Goodbye 用中文怎么说？",
        offers="还有什么可以帮您的吗？",
    ),
    "ja": Said(
        noises=(
            "はい。", "うん", "うんうん", "はい、はい。", "なるほど", "そうですね",
            "へえー、そうなんですか", "ええ", "わかりました", "ほんとですか？",
        ),
        turns=("いいえ", "何？", "はい、でも今日は", "ちょっと待って", "やめて"),
        patience=("はい、お願いします。", "わかりました", "了解です", "はい わかりました"),
        commands=(
            "やめて！", "待って", "ちょっと待ってください。", "ストップ", "違います",
            "静かにして",
        ),
        unfinished=(
            "明日の天気を", "東京の", "アラームを七時に", "私の名前は", "それから", "えっと",
            "あのー", "でも", "もし雨が降ったら", "二人用の部屋と", "予約をしたいので", "会議が",
            "駅から", "電気を消して、それから",
        ),
        finished=(
            "今何時ですか？", "電気をつけて。", "明日の天気を教えて", "こんにちは", "はい",
            "予約したいんですが", "お名前は？", "二人で。", "私も。", "何でも", "一緒に",
            "お願いします。", "いつですか", "八時です", "うん", "教えてください",
        ),
        farewells=(
            "さようなら。", "バイバイ", "じゃあね", "ありがとうございました。さようなら。",
            "はい、ありがとうございました、失礼します。", "また明日", "おやすみなさい",
            "電話を切ってください", "もう切りますね", "じゃあまた", "では、失礼いたします。",
            "大丈夫です。ありがとう。バイバイ。", "さようなら、ミラさん。", "またね",
            "良い一日を", "そろそろ失礼します", "お元気で", "それではまた来週",
        ),
        no_farewells=(
            "ありがとう", "こんにちは", "さようならは英語で何と言いますか",
            "さようなら、今日の天気は", "明日", "大丈夫です", "それで全部です",
            "また電話が鳴っています", "電話を切らないで", "ありがとう、予約して、さようなら",
            "トマトを切って", "今度",
        ),
        yes=(
            "はい。", "はい、お願いします。", "うん", "お願いします", "もちろん", "ええ",
            "はい、大丈夫です。", "いいですよ", "そうしてください", "はいありがとう", "オッケー",
            "ぜひ", "了解です",
        ),
        no=(
            "いいえ。", "いいえ、結構です。", "いや", "違います", "いりません", "やめてください",
            "まだです", "結構です", "キャンセルして", "いえ、ありがとうございます", "待って",
        ),
        neither=(
            "", "はい、でも八時に", "いくらですか？", "ありがとう", "八時です",
            "いいえ、八時です", "わかりません", "うーん", "はい、いいえ", "たぶん",
            "ええと、どうしよう",
        ),
        word="さようなら。",
        asks_for_the_word="goodbye は日本語で何と言いますか。",
        offers="他に何かございますか。",
    ),
}  # fmt: skip
