"""What the demo tells: how a town that does not exist weaves its bridge. Pure data: who does what, and when.

Everybody and every place in it is invented; the craft is not, there are bridges of grass in the Andes. The posts of
the day carry the times of that day (``ago``), those of the evening are written now, so that the thread reads as a day
although it is told in half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

HASHTAG, GREETINGS = "PuenteDeIchu", "SaludosAlPuente"
AUTHOR, NEWSPAPER, RELAY = "killa", "lantern", "chasqui"

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Somebody posts: plain text with ``#tags``, ``@names`` and blank lines between paragraphs.

    ``at`` is in seconds after the beginning, here and below; ``name`` is what ``reply_to`` and ``quote`` of others say.
    """

    at: float = 0.0
    author: str
    name: str
    text: str
    title: str = ""
    reply_to: str = ""
    quote: str = ""
    warning: str = ""
    language: str = "en"
    drawing: str = ""
    """The file name of a drawing, and ``alt`` what it shows."""
    alt: str = ""
    ago: timedelta = timedelta(0)
    """How long before it became visible the post says it was written."""
    private: bool = False
    """For the eyes of those whom it mentions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The author edits the post of this name."""

    at: float
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The author deletes the post of this name."""

    at: float
    name: str


Step = Draft | Correction | Withdrawal

CAST = {
    AUTHOR: ("Killa Quispe", "Teaches in Ch’askamayu, a town on no map: invented for a play, as she is."),
    "nayra": ("Nayra Condo", "Ties the first knot. A character in a play."),
    "tomas": ("Tomás Ccori", "Ropes, goats, songs. A character in a play."),
    "haruka": ("Haruka Minato 港はるか", "Reads bridges. A character in a play."),
    "salma": ("Salma Zaytuni سلمى", "Teaches in Amman. A character in a play."),
    RELAY: ("Chasqui", "Carries threads from plaza to plaza. A character in a play."),
    NEWSPAPER: ("The Ch’askamayu Lantern", "News of an invented town."),
}
"""Who they are, by what they are called: their name, and what they say of themselves."""

SCENE: tuple[Draft, ...] = (
    Draft(
        author="nayra",
        name="first-knot",
        ago=timedelta(days=364),
        text="My father taught me the first knot. I asked him who had taught the one who tied it first. He said: the "
        "river did, by taking everything that was tied worse. #PuenteDeIchu",
    ),
    Draft(author="tomas", name="dry", ago=timedelta(days=3), text="The grass is dry enough. I asked it. #PuenteDeIchu"),
    Draft(
        author=NEWSPAPER,
        name="market",
        title="Market moves to the church steps",
        ago=timedelta(days=2),
        text="The plaza is needed for ropes. Potatoes, wool and advice are sold on the church steps until further "
        "notice.",
    ),
    Draft(
        author=AUTHOR,
        name="eve",
        ago=21 * _HOUR,
        text="Tomorrow at first light. Bring your rope, and a cup for the broth. #PuenteDeIchu",
    ),
)
"""What stands there before the play begins, oldest first; none of it is to be relayed."""

SCRIPT: tuple[Step, ...] = (
    Draft(
        at=0.0,
        author=AUTHOR,
        name="opening",
        ago=9 * _HOUR,
        text="Good morning from the plaza of Ch’askamayu. Today we take down our bridge and weave a new one. It is "
        "made of grass, it is the oldest thing we own, and it has never been more than a year old. I will tell you how "
        "it is done, from the bench under the pepper tree, which is where the signal is.\n\n"
        "A thread, for those who are far away. 🧵 #PuenteDeIchu",
    ),
    Draft(
        at=1.6,
        author=AUTHOR,
        name="gorge",
        reply_to="opening",
        ago=9 * _HOUR - 6 * _MINUTE,
        drawing="morning.svg",
        alt="Drawing: a child in a red poncho runs across a rope bridge between two dark cliffs. Behind it stand snow "
        "peaks under an orange morning sky; far below winds a blue river.",
        text="This is the gorge: thirty metres across and a little more, forty down, and a river that waits for "
        "nobody. The one running is Amaru, eleven years old. He carries the count of the ropes from house to house, "
        "because no house may be forgotten. #PuenteDeIchu",
    ),
    Draft(
        at=2.8,
        author="haruka",
        name="youngest",
        ago=9 * _HOUR - 15 * _MINUTE,
        language="ja",
        text="長崎から読んでいます。草で編んだ橋が、毎年新しく生まれる。いちばん古いのに、いつもいちばん若い。"
        "続きを待っています。 #PuenteDeIchu",
    ),
    Draft(
        at=3.6,
        author=AUTHOR,
        name="debt",
        reply_to="gorge",
        ago=9 * _HOUR - 20 * _MINUTE,
        text="Every household owes the bridge one rope. Not money. A rope. #PuenteDeIchu",
    ),
    Draft(
        at=5.0,
        author=AUTHOR,
        name="rope",
        reply_to="debt",
        ago=9 * _HOUR - 31 * _MINUTE,
        text="How to make a rope out of a mountainside: cut the ichu, the hard grass, high up where the frost has "
        "cured it. Beat it with a stone, wet it, let it lie a night. In the morning twist it between your palms, away "
        "from you, always away from you, and add three stalks whenever your thumb says it is thin. Forty arm lengths "
        "make one rope, twenty-eight ropes one cable, six cables carry us all. My grandmother twisted in her sleep. We "
        "know because she also counted. #PuenteDeIchu",
    ),
    Draft(
        at=6.2,
        author="salma",
        name="hearts",
        ago=9 * _HOUR - 44 * _MINUTE,
        language="ar",
        text="نقرأ أخباركم من عمّان، أنا وتلاميذي. الجسر الذي يُنسج باليد يحمل القلوب قبل الأقدام. #PuenteDeIchu",
    ),
    Draft(
        at=7.2,
        author=NEWSPAPER,
        name="ford",
        title="Bridge closed until the lanterns hang",
        ago=8 * _HOUR,
        text="The old bridge comes down this morning and the new one is being woven. Until lanterns hang on it, cross "
        "by the ford below the mill: on foot, by daylight, and not after rain.",
    ),
    Draft(
        at=8.2,
        author=AUTHOR,
        name="knot",
        reply_to="rope",
        quote="first-knot",
        ago=8 * _HOUR - 5 * _MINUTE,
        text="Nayra has tied the first knot nine times and says little about it. She wrote this a year ago, and I have "
        "read it to every class since. #PuenteDeIchu",
    ),
    Draft(
        at=9.4,
        author=AUTHOR,
        name="stone",
        reply_to="knot",
        ago=7 * _HOUR,
        warning="Heights; a man hangs over a river (he is fine)",
        text="They cut the old bridge when the sun reached it. Before it fell, Tomás crawled out along the last cable, "
        "over nothing, to fetch the stone that his mother had tied into the middle in the year he was born. Nobody on "
        "either bank breathed; he sang. Then he was back, and the axe came down, and the bridge went into the gorge "
        "without a sound. The sound came after. #PuenteDeIchu",
    ),
    Draft(
        at=10.3,
        author="tomas",
        name="song",
        reply_to="stone",
        ago=7 * _HOUR - 8 * _MINUTE,
        text="@killa I needed one hand for the stone and one for waving, so I sang, to have something to hold on to. "
        "#puentedeichu",
    ),
    Draft(
        at=10.8,
        author="haruka",
        name="plea",
        reply_to="song",
        ago=7 * _HOUR - 12 * _MINUTE,
        text="@tomas Next year hold on to the cable. All of Nagasaki is asking.",
    ),
    Draft(
        at=11.4,
        author=AUTHOR,
        name="pull",
        reply_to="stone",
        ago=7 * _HOUR - 25 * _MINUTE,
        language="es",
        text="Ahora se tira. Las dos orillas gritan lo mismo, y no es una orden: «Huk umalla, huk sunqulla, huk "
        "makilla». Una sola cabeza, un solo corazón, una sola mano. Ochocientas manos, y el cable cruza el río como si "
        "supiera el camino. #PuenteDeIchu",
    ),
    Draft(
        at=12.6,
        author=AUTHOR,
        name="blackboard",
        reply_to="pull",
        ago=6 * _HOUR,
        text="@salma, who teaches in Amman, writes to us: «الجسر الذي يُنسج باليد يحمل القلوب قبل الأقدام». A bridge "
        "woven by hand carries hearts before it carries feet. My class has copied it onto the blackboard, from right "
        "to left, taking turns, with great care. #PuenteDeIchu",
    ),
    Draft(
        at=13.6,
        author=AUTHOR,
        name="evening",
        reply_to="blackboard",
        text="Evening. I did not write all day because I had no hands: I was on the third cable. Four are the floor, "
        "two are for holding on. Now comes the weaving of the sides, which is children’s work, since it wants the "
        "smallest fingers in town. Amaru has stopped running at last. He is knotting. #PuenteDeIchu",
    ),
    Draft(
        at=14.6,
        author=AUTHOR,
        name="measure",
        reply_to="evening",
        text="For those who keep records: thirty-one metres and a half, 186 ropes, 412 people, one sprained thumb, no "
        "nails. #PuenteDeIchu",
    ),
    Draft(
        at=15.6,
        author=AUTHOR,
        name="anger",
        reply_to="measure",
        text="And where is the lower town, which promised us two lorries of grass for the matting? Asleep, as it was "
        "last year. Let them swim. #PuenteDeIchu",
    ),
    Draft(
        at=17.0,
        author="nayra",
        name="third-cable",
        text="Killa writes well and knots badly. I have done the third cable again. It will hold. #PuenteDeIchu",
    ),
    Correction(
        at=19.2,
        name="measure",
        text="For those who keep records: thirty-one metres and a half, 168 ropes, 412 people, one sprained thumb, no "
        "nails.\n\n"
        "(I had swapped two digits. Amaru, who did the counting, came over to tell me.) #PuenteDeIchu",
    ),
    Withdrawal(at=20.4, name="anger"),
    Draft(
        at=21.2,
        author=AUTHOR,
        name="apology",
        reply_to="measure",
        text="I have taken down something I wrote in anger. The lorries of the lower town had a landslide to clear "
        "before they could come. They are here now, both of them, lights on, horns going, and their grass is better "
        "than ours. I apologised aloud in the plaza, which is the only way it counts. #PuenteDeIchu",
    ),
    Draft(
        at=22.4,
        author=AUTHOR,
        name="crossing",
        reply_to="apology",
        drawing="night.svg",
        alt="Drawing: the new bridge by night, hung with nine yellow lanterns, under a pale moon and blue snow peaks. "
        "Nobody is on it any more.",
        text="The first to cross is always the youngest, carried by the oldest. Tonight that was Sisa, nineteen days "
        "old, and don Anselmo, who is ninety-one and would not be hurried. In the middle he stopped and showed her the "
        "river. Then all of us went over, for no reason, and came back.\n\n"
        "Tupananchiskama: until we meet again. #PuenteDeIchu",
    ),
)

POSTSCRIPT = Draft(
    author=AUTHOR,
    name="postscript",
    reply_to="crossing",
    text="P.S. Somebody asks whether it will hold. It will hold for a year. That is what it is for.",
)
REQUEST = Draft(author="haruka", name="request", reply_to="postscript", text=f"@{RELAY} unroll")
FAREWELL = Draft(author="tomas", name="farewell", text=f"@{RELAY} stop", private=True)

_PLACES = (
    *("Nagasaki", "Amman", "Arequipa", "Lyon", "Nairobi", "Cork", "Hanoi", "Puno", "Québec", "Tbilisi", "Malmö"),
    *("Oaxaca", "Dakar", "Perth"),
)
GREETED = tuple(
    Draft(
        author="salma" if number % 2 else "haruka",
        name=f"greeting-{number}",
        text=f"{place} greets the bridge! #{GREETINGS}",
    )
    for number, place in enumerate(_PLACES)
)
