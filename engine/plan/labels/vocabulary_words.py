"""Signs, abbreviations and words for the members of small closed sets, in several languages.

A line is a meaning and the ways to write it; _ stands for a blank. Knowledge about language and notation, not about any data set.
"""

WORDS = {
    "operations": """
addition: + ➕ plus add addition addieren adición suma sumar somme sumar сложение 加法 加 足し算 덧셈 جمع जोड़ toplama soma
subtraction: - − – ➖ minus subtract subtraction subtraktion abziehen soustraction resta restar sustracción вычитание
    减法 减 引き算 뺄셈 طرح घटाव çıkarma
multiplication: × * · ⋅ ✕ ✖ x times multiply multiplication multiplikation malnehmen multiplicación multiplicar
    умножение 乘法 乘 掛け算 곱셈 ضرب गुणा çarpma
division: ÷ / ➗ ∶ : divide divided division teilen división dividir деление 除法 除 割り算 나눗셈 قسمة भाग bölme
power: ^ ** exponentiation power potenz puissance potencia степень 乘方
""",
    "comparison": """
less: < lt less lesser smaller fewer lower below before kleiner weniger moins menor menos меньше 小于 小 より小さい 작다 أصغر
equal: = == eq equal equals same equivalent gleich égal igual равно 等于 等しい 같다 يساوي
greater: > gt greater larger bigger more higher above größer mehr plus mayor más больше 大于 大 より大きい 크다 أكبر
at_most: ≤ <= le
at_least: ≥ >= ge
different: ≠ != <> ne different unequal ungleich différent distinto diferente неравно 不等于
""",
    "marks": """
yes: ✓ ✔ ☑ ✅ 👍 1 y yes true t ja oui sí si sim da да evet 是 はい 예
no: ✗ ✘ ✕ ✖ ❌ ☒ ⛔ 👎 0 n no false f nein non não nee нет hayır 否 いいえ 아니오
""",
    "verdict marks": """
right: ✓ ✔ ☑ ✅ 👍 right correct pass passed ok richtig juste correcto верно 正 対
wrong: ✗ ✘ ✕ ✖ ❌ ☒ 👎 wrong incorrect fail failed falsch faux incorrecto неверно 误
""",
    "tones": """
positive: + ＋ ➕ 👍 🙂 😀 😊 ☺ 😃 😄 p pos positive 积极 正
negative: - − – ➖ 👎 🙁 ☹ 😞 😠 😡 n neg negative 消极 负
neutral: 0 = ○ 😐 😶 o neu neut neutral u 中
""",
    "feelings": """
joy: 😀 😃 😄 😁 😊 🙂 😂 joy happy happiness amusement
sadness: 😢 😭 😞 😔 🙁 ☹ sad sadness grief
anger: 😠 😡 🤬 anger angry annoyance
fear: 😨 😱 😰 fear scared afraid nervousness
surprise: 😮 😲 😯 surprise surprised
disgust: 🤢 🤮 disgust disgusted
love: ❤ ❤️ 😍 🥰 💕 love
neutral: 😐 😶 neutral
""",
    "inference": """
entailment: e ent entail entails entailment entailed implies follows
neutral: n neu neut neutral unknown undetermined
contradiction: c con contra contradiction contradicts contradictory
""",
    "verdicts": """
true: true t supported supports support entailed confirmed verified wahr vrai verdadero правда 真
false: false f refuted refutes refute contradicted debunked falsch faux falso ложь 假
unproven: nei unproven unverified not_enough_info not_enough_information unknown undetermined unklar
""",
    "stances": """
for: for pro favor favour in_favor in_favour support supports agree agrees approve dafür pour a_favor за 支持 赞成 賛成 찬성
against: against con anti contra oppose opposes disagree disagrees reject dagegen contre en_contra против 反对 反対 반대
none: none neither neutral neutral_or_none no_stance neutrum ni_l_un_ni_l_autre ninguno нейтрально 中立 중립
""",
    "directions": """
north: n ↑ ⬆ north northern nord norden norte север 北 북 شمال उत्तर kuzey kaskazini
east: e o ö → ➡ east eastern ost osten est este leste восток 东 東 동 شرق पूर्व doğu mashariki
south: s ↓ ⬇ south southern süd süden sud sur sul юг 南 남 جنوب दक्षिण güney kusini
west: w o ← ⬅ west western westen ouest oeste ovest запад 西 서 غرب पश्चिम batı magharibi
up: ↑ up upward oben hinauf haut arriba вверх 上
down: ↓ down downward unten hinab bas abajo вниз 下
left: ← l left links gauche izquierda esquerda sinistra лево влево 左 왼쪽 يسار बाएँ sol
right: → r right rechts droite derecha direita destra право вправо 右 오른쪽 يمين दाएँ sağ
""",
    "parts of speech": """
noun: n nn nns noun nouns common_noun substantiv hauptwort nom sustantivo substantivo sostantivo существительное 名词 名詞
    명사 اسم संज्ञा isim
proper noun: nnp nnps pn propn proper_noun eigenname nom_propre nombre_propio собственное_имя 专有名词 固有名詞 고유명사
verb: v vb vbd vbg vbn vbp vbz verb verbs zeitwort verbe verbo глагол 动词 動詞 동사 فعل क्रिया fiil
adjective: a adj jj jjr jjs adjective adjectives adjektiv eigenschaftswort adjectif adjetivo adjetivo aggettivo
    прилагательное 形容词 形容詞 형용사 صفة विशेषण sıfat
adverb: r adv rb rbr rbs adverb adverbs umstandswort adverbe adverbio avverbio наречие 副词 副詞 부사 ظرف zarf
pronoun: pro pron prp pronoun pronouns pronomen fürwort pronom pronombre местоимение 代词 代名詞 대명사 ضمير सर्वनाम zamir
preposition: p in adp prep preposition präposition verhältniswort préposition preposición предлог 介词 前置詞 전치사
conjunction: cc conj cconj sconj conjunction konjunktion bindewort conjonction conjunción союз 连词 接続詞 접속사
determiner: dt det art determiner article artikel begleiter déterminant determinante artículo артикль
numeral: cd num numeral number zahlwort numéral numeral числительное 数词 数詞 수사
interjection: uh intj interjection ausruf interjección междометие 叹词 感動詞 감탄사
punctuation: punct punctuation satzzeichen ponctuation puntuación пунктуация 标点
""",
    "entities": """
person: per pers person people human personne persona человек 人名 人物
location: loc gpe location place ort lieu lugar место 地点 地名
organisation: org organisation organization company firm institution organización организация 组织 机构
miscellaneous: misc miscellaneous other verschiedenes divers otros прочее
date: date time dat datum fecha дата 日期
""",
    "gender": """
male: m ♂ male man men boy masculine masc his he männlich mann homme masculin hombre masculino мужской мужчина 男 男性 남
    남성 ذكر पुरुष erkek
female: f w ♀ female woman women girl feminine fem her she weiblich frau femme féminin mujer femenino женский женщина
    女 女性 여 여성 أنثى महिला kadın
neuter: n neuter neut neutrum sächlich neutre neutro средний 中性
""",
    "colours": """
red: red rot rouge rojo vermelho rosso красный 红 赤 빨강 أحمر लाल kırmızı 🔴 🟥
green: green grün vert verde зелёный зеленый 绿 緑 초록 أخضر हरा yeşil 🟢 🟩
blue: blue blau bleu azul blu синий голубой 蓝 青 파랑 أزرق नीला mavi 🔵 🟦
yellow: yellow amber gelb jaune amarillo amarelo giallo жёлтый желтый 黄 黄色 노랑 أصفر पीला sarı 🟡 🟨
black: black schwarz noir negro preto nero чёрный черный 黑 黒 검정 أسود काला siyah ⚫ ⬛
white: white weiß weiss blanc blanco branco bianco белый 白 하양 أبيض सफ़ेद beyaz ⚪ ⬜
orange: orange naranja laranja arancione оранжевый 橙 🟠
brown: brown braun marron brun marrón коричневый 棕 茶 🟤
""",
    "sentence types": """
statement: . declarative statement assertion inform aussage aussagesatz déclaration déclarative declarativa
    утверждение повествовательное 陈述
question: ? ¿ ？ interrogative question ask frage fragesatz interrogative interrogativa pregunta вопрос вопросительное
    疑问 疑問
command: imperative command request directive befehl imperativ aufforderung ordre impérative orden imperativa приказ
    побудительное 祈使 命令
exclamation: ! ！ exclamative exclamation exclamatory ausruf ausrufesatz exclamativa восклицание восклицательное 感叹
""",
    "levels": """
low: l low niedrig gering faible bas bajo baja baixo низкий низкая 低 낮음 منخفض कम düşük
medium: m med medium moderate mid middle average mittel moyen moyenne medio media médio средний средняя 中 중간 متوسط
    मध्यम orta
high: h high hoch élevé haut alto alta высокий высокая 高 높음 عال उच्च yüksek
""",
    "difficulty": """
easy: e easy simple beginner leicht einfach facile fácil лёгкий легкий 易 简单 簡単 쉬움 سهل आसान kolay
medium: m med medium moderate intermediate mittel moyen medio средний 中 중간 متوسط मध्यम orta
hard: h d hard difficult advanced schwer schwierig difficile difícil трудный сложный 难 困难 難しい 어려움 صعب कठिन zor
""",
    "sizes": """
tiny: xs tiny winzig
small: s sm small klein petit pequeño piccolo маленький 小
medium: m md medium mittel moyen mediano medio средний 中
large: l lg large big groß grand grande большой 大
very large: xl huge riesig énorme enorme огромный 特大
""",
    "times": """
past: past preterite pst vergangenheit passé pasado passado passato прошедшее 过去 過去 과거 geçmiş
present: present prs gegenwart présent presente настоящее 现在 現在 현재 şimdiki
future: future fut zukunft futur futuro будущее 将来 未来 미래 gelecek
""",
    "places in a row": """
0: 0 0th zero neither none nobody no_one nobody null keiner keine niemand weder aucun ni ninguno nessuno никто ни 都不
    どちらでもない 둘다아님
1: 1 1st i one first former erste erster erstes eins premier première un primero primera uno primo первый первая один
    第一 一 첫째 하나
2: 2 2nd ii two second latter zweite zweiter zweites zwei deuxième second deux segundo segunda dos secondo второй
    вторая два 第二 二 둘째 둘
3: 3 3rd iii three third dritte dritter drittes drei troisième trois tercero tercera tres terzo третий третья три 第三 三
    셋째 셋
4: 4 4th iv four fourth vierte vierter viertes vier quatrième quatre cuarto cuarta cuatro quarto четвёртый четвертый
    четыре 第四 四
5: 5 5th v five fifth fünfte fünfter fünftes fünf cinquième cinq quinto quinta cinco пятый пять 第五 五
6: 6 6th vi six sixth sechste sechs sixième sexto seis шестой шесть 第六 六
7: 7 7th vii seven seventh siebte sieben septième sept siete séptimo седьмой семь 第七 七
8: 8 8th viii eight eighth achte acht huitième huit ocho octavo восьмой восемь 第八 八
9: 9 9th ix nine ninth neunte neun neuvième neuf nueve noveno девятый девять 第九 九
10: 10 10th x ten tenth zehnte zehn dixième dix diez décimo десятый десять 第十 十
""",
}
"""Vocabularies by name."""
