"""The names of months, halves of the day and time zones, as dates in feeds have them. Pure.

Months are those of the Unicode CLDR, in the cases that it has; a beginning of three letters will do for a name.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from functools import lru_cache

_MONTHS = {
    "af": "januarie februarie maart|mrt april mei junie julie augustus september oktober november desember",
    "ar": "يناير فبراير مارس أبريل|إبريل مايو يونيو|يونيه يوليو|يوليه أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "az": "yanvar fevral mart aprel may iyun|iyn iyul|iyl avqust sentyabr oktyabr noyabr dekabr",
    "be": "студзеня|студзень лютага|люты сакавіка|сакавік красавіка|красавік мая|май чэрвеня|чэрвень ліпеня|ліпень "
    "жніўня|жнівень верасня|верасень кастрычніка|кастрычнік лістапада|лістапад снежня|снежань",
    "bg": "януари февруари март април май юни юли август септември октомври ноември декември",
    "ca": "gener febrer març abril maig juny juliol agost|ag setembre octubre novembre desembre",
    "cs": "ledna|leden února|únor března|březen dubna|duben května|květen června|červen|čvn července|červenec|čvc "
    "srpna|srpen září října|říjen listopadu|listopad prosince|prosinec",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "de": "januar|jänner|jän februar|feber märz|mrz april mai juni juli august september oktober november dezember",
    "el": "Ιανουαρίου|Ιανουάριος Φεβρουαρίου|Φεβρουάριος Μαρτίου|Μάρτιος Απριλίου|Απρίλιος Μαΐου|Μάιος Ιουνίου|Ιούνιος "
    "Ιουλίου|Ιούλιος Αυγούστου|Αύγουστος Σεπτεμβρίου|Σεπτέμβριος Οκτωβρίου|Οκτώβριος Νοεμβρίου|Νοέμβριος "
    "Δεκεμβρίου|Δεκέμβριος",
    "en": "january|jan february|feb march|mar april|apr may june|jun july|jul august|aug september|sep|sept "
    "october|oct november|nov december|dec",
    "eo": "januaro februaro marto aprilo majo junio julio aŭgusto septembro oktobro novembro decembro",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre",
    "et": "jaanuar veebruar märts aprill mai juuni juuli august september oktoober november detsember",
    "eu": "urtarrila|urtarrilak|urtarrilaren otsaila|otsailak|otsailaren martxoa|martxoak|martxoaren "
    "apirila|apirilak|apirilaren maiatza|maiatzak|maiatzaren ekaina|ekainak|ekainaren uztaila|uztailak|uztailaren "
    "abuztua|abuztuak|abuztuaren iraila|irailak|irailaren urria|urriak|urriaren azaroa|azaroak|azaroaren "
    "abendua|abenduak|abenduaren",
    "fa": "ژانویه|ژانویهٔ فوریه|فوریهٔ مارس آوریل مه|مهٔ ژوئن ژوئیه|ژوئیهٔ|جولای اوت|اوگوست سپتامبر اکتبر نوامبر دسامبر",
    "fi": "tammikuuta|tammikuu helmikuuta|helmikuu maaliskuuta|maaliskuu huhtikuuta|huhtikuu toukokuuta|toukokuu "
    "kesäkuuta|kesäkuu heinäkuuta|heinäkuu elokuuta|elokuu syyskuuta|syyskuu lokakuuta|lokakuu "
    "marraskuuta|marraskuu joulukuuta|joulukuu",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "gl": "xaneiro febreiro marzo abril maio xuño xullo agosto setembro outubro novembro decembro",
    "he": "ינואר פברואר מרץ|מרס אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    "hi": "जनवरी|जन फ़रवरी|फर|फरवरी मार्च अप्रैल मई जून जुलाई|जुल अगस्त|अग "
    "सितंबर|सित|सितम्बर अक्टूबर|अक्टू|अक्तूबर नवंबर|नव|नवम्बर दिसंबर|दिस|दिसम्बर",
    "hr": "siječnja|siječanj veljače|veljača ožujka|ožujak travnja|travanj svibnja|svibanj lipnja|lipanj "
    "srpnja|srpanj kolovoza|kolovoz rujna|rujan listopada|listopad studenoga|studenog|studeni prosinca|prosinac",
    "hu": "január február március április május június július augusztus szeptember október november december",
    "id": "januari februari|pebruari maret april mei juni juli agustus|agt|ags september oktober november|nopember "
    "desember",
    "is": "janúar febrúar mars apríl maí júní júlí ágúst september október nóvember desember",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "lt": "sausio|sausis vasario|vasaris kovo|kovas balandžio|balandis gegužės|gegužė birželio|birželis liepos|liepa "
    "rugpjūčio|rugpjūtis rugsėjo|rugsėjis spalio|spalis lapkričio|lapkritis gruodžio|gruodis",
    "lv": "janvāris|janvārī februāris|februārī marts|martā aprīlis|aprīlī maijs|maijā jūnijs|jūnijā jūlijs|jūlijā "
    "augusts|augustā septembris|septembrī oktobris|oktobrī novembris|novembrī decembris|decembrī",
    "mk": "јануари февруари март април мај јуни јули август септември октомври ноември декември",
    "ms": "januari februari mac april mei jun julai ogos september oktober november disember",
    "nl": "januari februari maart|mrt april mei juni juli augustus september oktober november december",
    "no": "januar februar mars april mai juni juli august september oktober november desember",
    "pl": "stycznia|styczeń lutego|luty marca|marzec kwietnia|kwiecień maja|maj czerwca|czerwiec lipca|lipiec "
    "sierpnia|sierpień września|wrzesień października|październik listopada|listopad grudnia|grudzień",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "ro": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "ru": "января|январь февраля|февраль марта|март апреля|апрель мая|май июня|июнь июля|июль августа|август "
    "сентября|сентябрь октября|октябрь ноября|ноябрь декабря|декабрь",
    "sk": "januára|január februára|február marca|marec apríla|apríl mája|máj júna|jún júla|júl augusta|august "
    "septembra|september októbra|október novembra|november decembra|december",
    "sl": "januar|januarja februar|februarja marec|marca april|aprila maj|maja junij|junija julij|julija "
    "avgust|avgusta september|septembra oktober|oktobra november|novembra december|decembra",
    "sq": "janar shkurt mars prill maj qershor korrik gusht shtator tetor nëntor dhjetor",
    "sr": "јануар|januar фебруар|februar март|mart април|april мај|maj јун|jun јул|jul август|avgust "
    "септембар|septembar октобар|oktobar новембар|novembar децембар|decembar",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "sw": "januari februari machi aprili mei juni julai agosti septemba oktoba novemba desemba",
    "tr": "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "uk": "січня|січень лютого|лютий березня|березень квітня|квітень травня|травень червня|червень липня|липень "
    "серпня|серпень вересня|вересень жовтня|жовтень листопада|листопад грудня|грудень",
}  # fmt: skip


def plain_letters(text: str) -> str:
    """Small letters without accents; what cannot be seen is left out."""
    shown = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", shown.casefold()) if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", bare.replace("ı", "i"))


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """The months by their names, for each language; and those that mean the same month in all of them."""
    whole, begun = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    of = dict[str, dict[str, int]]()
    for language, written in _MONTHS.items():
        names = {
            plain_letters(name): number
            for number, names in enumerate(written.split(), start=1)
            for name in names.split("|")
        }
        short = defaultdict[str, set[int]](set)
        for name, number in names.items():
            whole[name].add(number)
            for end in range(3, len(name)):
                short[name[:end]].add(number)
        for name, numbers in short.items():
            begun[name] |= numbers
        of[language] = {name: min(numbers) for name, numbers in short.items() if len(numbers) == 1} | names
    known = {name: numbers for name, numbers in (begun | whole).items() if len(numbers) == 1}
    return of, {name: min(numbers) for name, numbers in known.items()}


def month(word: str, language: str = "") -> int:
    """The number of the month that a word of :func:`plain_letters` names; 0 for none, and where languages differ."""
    of, common = _table()
    own = of.get({"nb": "no", "nn": "no", "bs": "hr"}.get(language[:2], language[:2]), {})
    return own.get(word) or common.get(word, 0)


_LINKING = (
    "a al am an at d da de dei del den der di do e el er et g gada i in la le m n nd o of og on ros st rd t th the u "
    "und y г года р року ד"
)
LINKING = frozenset(_LINKING.split())
"""Words that may stand between the day, the month and the year."""

MORNING = frozenset(["am", "a.m.", "a. m.", "a.m", "π.μ.", "πμ", "上午", "午前", "오전", "oo", "de.", "ص", "ap."])
AFTERNOON = frozenset(["pm", "p.m.", "p. m.", "p.m", "μ.μ.", "μμ", "下午", "午後", "오후", "os", "du.", "م", "ip."])

OFFSETS = {
    name: round(float(hours) * 60)
    for hours, names in {
        "-10": "hst hast",
        "-9": "akst hadt",
        "-8": "pst akdt",
        "-7": "mst pdt",
        "-6": "cst mdt galt",
        "-5": "est cdt cot pet ect act",
        "-4": "edt ast bot vet clt gyt amt pyt",
        "-3.5": "nst",
        "-3": "adt brt art uyt clst pyst gft srt",
        "-2.5": "ndt",
        "-2": "brst uyst fnt",
        "-1": "azot cvt",
        "0": "z ut utc gmt wet azost egst",
        "1": "cet mez met bst west wat",
        "2": "cest mesz mest eet oez sast cat",
        "3": "msk eest oesz trt eat",
        "3.5": "irst",
        "4": "msd gst samt azt get mut",
        "4.5": "afghan aft",
        "5": "pkt uzt yekt",
        "5.5": "ist",
        "5.75": "npt",
        "6": "almt omst btt",
        "6.5": "mmt",
        "7": "ict wib krat novt",
        "8": "hkt sgt myt awst pht wita irkt",
        "9": "jst kst wit yakt",
        "9.5": "acst",
        "10": "aest vlat chst",
        "10.5": "acdt",
        "11": "aedt sbt magt",
        "12": "nzst fjt pett",
        "13": "nzdt",
    }.items()
    for name in names.split()
}
"""Minutes east of Greenwich."""

REGIONS = {
    "at": "America/Halifax",
    "et": "America/New_York",
    "ct": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
    "est5edt": "America/New_York",
    "cst6cdt": "America/Chicago",
    "mst7mdt": "America/Denver",
    "pst8pdt": "America/Los_Angeles",
}
"""Names of zones that have their summer time by the date."""
