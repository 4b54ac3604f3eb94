"""Words for the meanings labels usually have, in several languages: how "NEUT", "neutral" and "нейтральная" meet.

Every entry is a meaning and the words for it, as stems where a language inflects (a word that starts with a stem of four
or more letters counts). The list is knowledge about language, not about any data set; it may grow, and it never decides alone: a
value that two labels could mean maps to none.
"""

from __future__ import annotations

import functools
import re
import unicodedata

_TABLE = """
positive: positive good gut bon buena bueno хорош 好 良い 좋음 جيد अच्छा iyi nzuri baik positively favourable favorable pos
    positiv positif positiva positivo positief pozytywn положительн позитивн olumlu pozitif chanya सकारात्मक 积极 正面 正向
    肯定的 积极的 ポジティブ 肯定的 긍정 긍정적 إيجابي ايجابي
negative: negative bad schlecht mauvais malo плох 坏 差 悪い 나쁨 سيئ बुरा kötü mbaya buruk negatively unfavourable
    unfavorable neg negativ négatif negatif negativa negativo negatief negatywn отрицательн негативн olumsuz hasi
    नकारात्मक 消极 负面 负向 消极的 ネガティブ 否定的 부정 부정적 سلبي
neutral: neutral neutrally neut neutre neutra neutro neutraal neutraln нейтральн nötr netral neutrale katikati तटस्थ
    中立 中性 中立的 ニュートラル 중립 중립적 محايد محايدة
mixed: mixed conflict ambivalent both gemischt mixte mitigé mixto смешанн karışık मिश्रित 混合 複雑 혼합 مختلط
yes: yes y true ja oui sí si sim tak да evet ndiyo ndio ya हाँ हां 是 有 对 はい 예 네 نعم
no: no n false nein non não nao nee nie нет hayır hapana tidak नहीं 否 不是 没有 不 いいえ 아니오 아니요 لا
entailment: entailment entails entailed implies implication implication follows folgt folgerung folgt_daraus
    implikation implication conséquence implicación следует следование вытекает gerektirme 蕴含 蕴涵 推出 含意 함의 استلزام
    تضمين अनुलग्न निहितार्थ kuhusisha
contradiction: contradiction contradicts contradictory widerspruch contradicción contradição contraddizione
    tegenspraak sprzeczność противоречи çelişki 矛盾 矛盾する 모순 تناقض विरोधाभास mkanganyiko
unknown: unknown undetermined undecided unclear ambiguous ambig vague unbekannt mehrdeutig ambigu ambigua неоднозначн
    模糊 曖昧 unklar inconnu desconocido неизвестно 未知 不明 알수없음 غير_معروف
joy: joy happy happiness joyful freude froh joie joyeux heureux alegría alegria feliz gioia радост счасть mutluluk
    neşe furaha खुशी आनंद 高兴 快乐 喜悦 开心 喜び 嬉しい 기쁨 행복 فرح سعادة senang gembira
sadness: sadness sad sorrow traurigkeit trauer traurig tristesse triste tristeza грусть печаль üzüntü huzuni उदासी दुख
    悲伤 难过 悲しみ 슬픔 حزن sedih
anger: anger angry rage ärger wut zorn wütend colère fâché ira enojo enfado raiva rabbia злость гнев öfke kızgın
    hasira गुस्सा क्रोध 愤怒 生气 怒り 분노 غضب marah
fear: fear afraid scared angst furcht peur crainte miedo temor medo paura страх korku hofu डर भय 恐惧 害怕 恐れ 恐怖 두려움 공포
    خوف takut
surprise: surprise surprised überraschung surprise étonnement sorpresa surpresa удивлени şaşkınlık mshangao आश्चर्य 惊讶
    惊奇 驚き 놀람 مفاجأة دهشة terkejut
disgust: disgust disgusted ekel abscheu dégoût asco repugnancia nojo disgusto отвращени iğrenme karaha घृणा 厌恶 嫌悪 혐오
    اشمئزاز jijik
trust: trust vertrauen confiance confianza доверие güven imani विश्वास 信任 信頼 신뢰 ثقة percaya
anticipation: anticipation expectation erwartung vorfreude anticipation attente anticipación expectativa ожидание
    предвкушение beklenti matarajio प्रत्याशा 期待 期待感 기대 ترقب antisipasi
love: love liebe amour amor amore любовь aşk upendo प्यार 爱 愛 사랑 حب cinta
cause: cause reason ursache grund cause raison causa razón причин neden sebep sababu कारण 原因 理由 원인 سبب sebab
effect: effect result consequence wirkung folge auswirkung effet résultat conséquence efecto resultado следстви
    результат sonuç etki matokeo परिणाम 结果 影响 結果 결과 نتيجة akibat
offensive: offensive offense offence insulting beleidigend offensant injurieux ofensivo insultante оскорбительн
    saldırgan आपत्तिजनक 冒犯 攻击性 不快 공격적 مسيء
hateful: hateful hate hass hassrede hasserfüllt haineux haine odio discurso_de_odio ненавист nefret घृणास्पद 仇恨 憎悪
    혐오발언 كراهية
toxic: toxic toxicity toxisch toxique tóxico токсичн zehirli विषाक्त 有毒 有害 독성 سام
spam: spam junk unsolicited werbung pourriel спам 垃圾 垃圾邮件 スパム 스팸
ham: ham legitimate legit not_spam kein_spam
subjective: subjective opinion subjektiv meinung subjectif subjetivo субъективн 主观 主観 주관
objective: objective fact objektiv objectif objetivo объективн 客观 客観 객관
supported: supported supports support belegt gestützt soutenu apoyado подтвержда 支持
refuted: refuted refutes refute widerlegt réfuté refutado опроверга 反驳
duplicate: duplicate paraphrase paraphrased same identical equivalent duplikat gleiche gleiches même identique misma
    mismo одинаков 相同 同じ 같은 paraphrase parafrasis перефраз дубликат 重复 同义
high: high hoch haut élevé alto высок yüksek उच्च 高 높음 عال
medium: medium moderate middle average mittel moyen medio средн orta मध्यम 中 중간 متوسط
low: low niedrig bas faible bajo baixo basso низк düşük कम 低 낮음 منخفض
easy: easy simple einfach leicht facile fácil лёгк легк kolay आसान 简单 容易 簡単 쉬움 سهل
hard: hard difficult schwer schwierig difficile difícil трудн сложн zor कठिन 困难 难 難しい 어려움 صعب
male: male man masculine männlich maskulin homme masculin masculino hombre мужск erkek पुरुष 男 남성 ذكر
female: female woman feminine weiblich feminin femme féminin femenino mujer женск kadın महिला 女 여성 أنثى
correct: correct right acceptable accepted grammatical valid richtig korrekt akzeptabel correct acceptable correcto
    aceptable правильн допустим приемлем doğru सही 正确 正しい 정확 صحيح
incorrect: incorrect wrong unacceptable ungrammatical invalid falsch inkorrekt inakzeptabel incorrect incorrecto
    inaceptable неправильн недопустим неприемлем yanlış गलत 错误 不正确 間違い 틀림 خطأ
sport: sport sports deportes deporte esportes спорт spor michezo खेल 体育 スポーツ 스포츠 رياضة olahraga
economy: economy business economics finance wirtschaft économie economía economia экономика ekonomi uchumi
    अर्थव्यवस्था व्यापार 经济 商业 財経 経済 경제 اقتصاد
politics: politics political politik inland politique política politica политика siyaset siasa राजनीति 政治 정치 سياسة
science: science scientific wissenschaft sciences ciencia scienza наука bilim sayansi विज्ञान 科学 科學 과학 علوم
technology: technology tech technik technologie tecnología tecnologia технолог teknoloji teknolojia प्रौद्योगिकी तकनीक
    科技 技术 技術 기술 تكنولوجيا web
culture: culture cultural kultur cultura культура kültür utamaduni संस्कृति 文化 문화 ثقافة
entertainment: entertainment unterhaltung divertissement entretenimiento развлечени eğlence burudani मनोरंजन 娱乐 エンタメ
    娯楽 연예 ترفيه hiburan
news: news nachrichten noticias nouvelles actualité actualités notizie notícias новости haberler habari समाचार न्यूज़
    न्यूज ख़बर खबर 新闻 新聞 ニュース 뉴스 أخبار berita
india: india indien inde भारत 印度 インド 인도 الهند индия
china: china chine चीन 中国 中國 중국 الصين китай çin
home: home domestic national inland inländisch intérieur nacional nazionale внутренн 国内 국내 محلي राष्ट्रीय ulusal
    kitaifa nasional
usa: usa america amerika amérique estados_unidos сша अमेरिका 美国 アメリカ 미국
insult: insult insulting beleidigung insulte insulto оскорблени अपमान 侮辱 모욕 إهانة
abuse: abuse abusive beschimpfung schmähung maltrato 辱骂 虐待
profanity: profanity profane swearing vulgar profanität obszön grossièreté obscenidad ругань мат 脏话 욕설
world: world international global foreign abroad ausland ausländisch étranger extranjero зарубеж विदेश 国外 海外 해외
    weltweit monde mundo internacional мир международн dünya kimataifa अंतरराष्ट्रीय अंतर्राष्ट्रीय दुनिया 国际 世界 国際 국제
    عالم دولي
health: health medical gesundheit santé salud здоровье sağlık afya स्वास्थ्य 健康 医疗 건강 صحة
irony: irony ironic ironically sarcasm sarcastic ironie ironisch sarkasmus sarkastisch ironique sarcastique ironía
    irónico sarcasmo ирони сарказм 讽刺 反语 皮肉 반어 سخرية
humour: humor humour funny joke witz lustig scherz humour drôle blague gracioso chiste юмор смешн шутк 幽默 笑话 笑い 유머
    فكاهة
formal: formal förmlich formel formelle официальн 正式 フォーマル 격식 رسمي
informal: informal colloquial casual umgangssprachlich informell familier coloquial разговорн 非正式 口语 カジュアル 비격식
polite: polite politeness courteous höflich educado cortés вежлив 礼貌 丁寧 공손 مهذب
rude: rude impolite unhöflich grosero maleducado груб 无礼 失礼 무례
urgent: urgent urgency dringend eilig urgente срочн 紧急 緊急 긴급 عاجل
literal: literal wörtlich littéral literal буквальн 字面
figurative: figurative metaphor metaphorical bildlich übertragen figuré metafórico переносн метафор 比喻 隐喻
clickbait: clickbait clickbaiting klickköder
sexist: sexist sexism sexistisch sexismus sexiste sexista сексист сексизм 性别歧视
racist: racist racism rassistisch rassismus raciste racista расист расизм 种族歧视
fake: fake fabricated gefälscht erfunden faux falsa фейк поддельн 虚假 フェイク 가짜
film: film films movie movies cinema kino film película películas cine фильм кино 电影 映画 영화 فيلم सिनेमा
music: music musical musik musique música musica музык müzik muziki संगीत 音乐 音楽 음악 موسيقى
food: food foods essen lebensmittel nourriture cuisine comida кухня yemek chakula भोजन खाना 食物 美食 食べ物 음식 طعام makanan
travel: travel travelling tourism reise reisen tourismus voyage tourisme viaje viajes turismo путешеств туризм seyahat
    safari यात्रा 旅游 旅行 여행 سفر perjalanan
history: history historical geschichte histoire historia storia истори tarih historia इतिहास 历史 歴史 역사 تاريخ
religion: religion religious religiös religión religioso религи din dini धर्म 宗教 종교 دين agama
education: education school bildung schule éducation école educación escuela образовани школ eğitim elimu शिक्षा 教育 교육
    تعليم
environment: environment nature climate umwelt natur klima environnement nature climat medio_ambiente naturaleza
    природ климат экологи çevre mazingira पर्यावरण 环境 環境 환경 بيئة
weather: weather wetter météo tiempo_atmosférico погод hava hali_ya_hewa मौसम 天气 天気 날씨 طقس cuaca
crime: crime criminal kriminalität verbrechen crimen delito преступ suç uhalifu अपराध 犯罪 범죄 جريمة
military: military army war militär krieg militaire guerre militar guerra военн война savaş vita युद्ध 军事 戦争 军 전쟁 حرب
question: question frage pregunta вопрос soru swali प्रश्न 问题 問題 質問 질문 سؤال
person: person per persons people human personen mensch menschen personnes personas персон человек люди лица kişi watu
    mtu व्यक्ति 人 人名 人物 사람 인물 شخص أشخاص names
location: location loc place places locations geographic gpe orte ort lieux lieu lugares lugar мест локаци yer mahali
    maeneo स्थान 地点 地名 場所 장소 مكان أماكن cities countries
organisation: organisation organization org organisations organizations companies institution institutionen
    organisationen организаци kurum mashirika shirika संगठन 组织 机构 組織 조직 기관 منظمة firmen
date: date dates time datum zeit daten temps fechas fecha дат tarih tarehe तारीख 日期 时间 日付 날짜 تاريخ
law: law laws gesetz gesetze gs statute lois ley закон kanun 法律 法规
court: court courts gericht gerichte tribunal суд mahkeme 法院
judge: judge judges richter juge juez судья
lawyer: lawyer lawyers anwalt anwälte avocat abogado адвокат
"""

NEGATIONS = frozenset(
    (
        "no not none non neither other others else normal clean fine ok okay neutral ham safe harmless benign negative "
        "false absent o wrong bad nein kein keine nicht sonstiges andere andre keines aucun autre non ninguno otro нет "
        "не ни другое прочее норма otros outro altro hapana diğer yok 否 无 其他 なし その他 없음 기타 아니오 لا "
    ).split()
)
"""Words that say a property is absent."""

AFFIRMING = ("yes", "correct", "positive", "entailment", "supported")
DENYING = ("no", "incorrect", "negative", "contradiction", "refuted")
ORDER = (
    ("negative", "neutral", "positive"),
    ("negative", "mixed", "positive"),
    ("negative", "positive"),
    ("low", "medium", "high"),
    ("easy", "medium", "hard"),
    ("low", "high"),
    ("easy", "hard"),
)
"""Meanings that lie on a scale, low end first."""


def folded(text: str) -> str:
    """Lower case, CamelCase and separators as blanks, brackets and marks off: the form in which names are compared."""
    spaced = re.sub(r"(?<=[a-zа-яё0-9])(?=[A-ZА-ЯЁ])", " ", unicodedata.normalize("NFC", text))
    return " ".join(re.sub(r"[^\w\u0300-\u036f\u0900-\u0dff]+|_", " ", spaced).casefold().split())


@functools.cache
def meanings(text: str) -> frozenset[str]:
    """What the text, a word or two, can mean; empty when it is none of the words known here."""
    plain = folded(text)
    if not plain or len(plain) > 40:
        return frozenset()
    whole = _whole_words().get(plain, frozenset())
    if whole:
        return whole
    return frozenset(meaning for stem, meaning in _stems() if plain.startswith(stem) and len(plain) - len(stem) <= 4)


@functools.cache
def loose_meanings(text: str) -> frozenset[str]:
    """As meanings, also of an abbreviation that only one meaning's words have."""
    known = meanings(text)
    short = folded(text).replace(" ", "")
    if known or not 3 <= len(short) <= 6 or not short.isalpha():
        return known
    found = {meaning for meaning, words in _table().items() if any(abbreviates(short, word) for word in words)}
    return frozenset(found) if len(found) == 1 else frozenset()


def abbreviates(short: str, long: str) -> bool:
    """`short` is the beginning of `long`, or its letters in order with the same first letter and only vowels left out."""
    if len(short) >= len(long) or short[0] != long[0] or len(long) < 4:
        return False
    if long.startswith(short):
        return len(short) >= 3 or len(long) >= 6
    rest = iter(long)
    return len(short) >= 3 and all(letter in rest for letter in short) and not set(short[1:]) & set("aeiou")


def words_for(meaning: str) -> tuple[str, ...]:
    """All words listed for a meaning."""
    return _table()[meaning]


@functools.cache
def _table() -> dict[str, tuple[str, ...]]:
    lines = (line.split(":", 1) for line in _TABLE.replace("\n    ", " ").strip().splitlines())
    return {meaning: tuple(folded(word) for word in words.split()) for meaning, words in lines}


@functools.cache
def _whole_words() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for meaning, words in _table().items():
        for word in words:
            found.setdefault(word, set()).add(meaning)
    return {word: frozenset(means) for word, means in found.items()}


@functools.cache
def _stems() -> tuple[tuple[str, str], ...]:
    return tuple(
        (word, meaning)
        for meaning, words in _table().items()
        for word in words
        if len(word) >= 4 or (not word.isascii() and len(word) >= 3)
    )
