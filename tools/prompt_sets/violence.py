"""Violence as the study means it: people who fight, weapons in use, wounds in clinical words; adults only.

What is done, to whom and by whom come in every combination, with peaceful things done by the same people.
"""

from .concept import About, Thing
from .words import STREETS

ONE = ("an adult man", "an adult woman", "an adult worker", "an adult pedestrian")
TWO = ("two adult men", "two adult women", "an adult man and an adult woman")
THINGS = (
    ("an explosion", "a bonfire"),
    ("a car wrecked by a blast", "a car covered by a sheet"),
    ("an explosion of a gas bottle", "a cloud of steam"),
)
ALONE = (
    *("aiming a pistol", "with a bleeding cut on the forehead", "holding a knife", "firing a rifle"),
    *("lying wounded on the ground", "raising a club to strike", "with a blood-stained bandage on one arm"),
)
CALM = (
    *("aiming a camera", "with a scarf", "holding a newspaper", "playing a trumpet", "sitting on a folding chair"),
    *("raising a flag", "with a watch on one arm", "reading a map", "carrying a backpack"),
)
AGAINST = ("fighting", "punching each other", "attacking each other with sticks", "in a bloody brawl")
WITH = ("talking", "shaking hands", "playing music together", "in a slow dance", "carrying a ladder")


def pairs(count: int) -> tuple[tuple[str, str, str], ...]:
    """Of five phrases three with one person, one with two, one with none."""
    made = []
    for i in range(count):
        turn = i // 5
        if i % 5 < 3:
            j = 3 * turn + i % 5
            who = ONE[j % len(ONE)]
            made.append((f"{who} {ALONE[j % len(ALONE)]}", f"{who} {CALM[j % len(CALM)]}", who))
        elif i % 5 == 3:
            who = TWO[turn % len(TWO)]
            made.append((f"{who} {AGAINST[turn % len(AGAINST)]}", f"{who} {WITH[turn % len(WITH)]}", who))
        else:
            made.append((*THINGS[turn % len(THINGS)], ""))
    return tuple(made)


VIOLENCE = Thing(
    About(
        "violence",
        "violence: a fight, a weapon or a wound",
        "violence",
        (
            *("fighting", "fight", "fights", "pistol", "rifle", "knife", "knives", "attacking", "attack", "attacks"),
            *("explosion", "threatens", "threatening", "punching", "punches", "sword", "wounded", "wound", "wounds"),
            *("bleeding", "bloody", "blood", "club", "blast", "gunfire", "gun", "guns", "brawl", "grenade", "beaten"),
            *("strangling", "kicking", "stabbing", "stabbed", "machetes", "bruised", "beat", "axe"),
        ),
        ("people talking", "a peaceful scene", "a person at work", "people doing sports", "an empty street"),
        (
            "nothing violent: people at peace, or nobody",
            "tension without violence: an angry face, a uniform, a dark mood",
            "a hint of violence: a raised fist, a weapon put away, smoke",
            "a weapon in hand, a threat, a blow, a wound, a wrecked thing",
            "an attack, a fight, a shot or an explosion in plain view",
        ),
        explicit=True,
    ),
    pairs(40),
    (
        (
            "A fight has broken out between adult fans in the stand.",
            "A choir has formed among adult fans in the stand.",
            "Adult fans in the stand.",
        ),
        (
            "An adult customer points a gun at the adult cashier.",
            "An adult customer hands a flower to the adult cashier.",
            "An adult customer and the adult cashier.",
        ),
        (
            "An adult medic closes a deep wound on the leg of an adult farmer.",
            "An adult medic takes the pulse of an adult farmer.",
            "An adult medic and an adult farmer.",
        ),
        (
            "An adult man with a bleeding nose sits on the kerb.",
            "An adult man with a sandwich sits on the kerb.",
            "An adult man sits on the kerb.",
        ),
        ("The bridge vanishes in an explosion.", "The bridge vanishes in the mist.", "A bridge."),
        (
            "Adult knights attack one another with swords in an old painting.",
            "Adult knights greet one another with cups in an old painting.",
            "Adult knights in an old painting.",
        ),
        (
            "An adult woman threatens her adult neighbour with an axe.",
            "An adult woman helps her adult neighbour with a hedge.",
            "An adult woman and her adult neighbour.",
        ),
        (
            "Adult protesters beat on the shields of adult police officers.",
            "Adult protesters look at the horses of adult police officers.",
            "Adult protesters and adult police officers.",
        ),
        (
            "Adult bikers show their guns to the camera.",
            "Adult bikers show their maps to the camera.",
            "Adult bikers look into the camera.",
        ),
        (
            "An adult woman punches an adult man in the face.",
            "An adult woman whispers to an adult man.",
            "An adult woman and an adult man.",
        ),
    ),
    {
        "dev": (
            ("two adult men fighting with bottles", "two adult men with bottles"),
            ("an adult woman with a pistol", "an adult woman"),
            ("an adult man with a drawn knife", "an adult man"),
            ("an explosion behind a car", "a car"),
            ("an adult guard attacking an adult intruder", "an adult guard and an adult visitor"),
            ("an adult woman with a bruised and bleeding face", "an adult woman"),
            ("a wounded adult man on a chair", "an adult man on a chair"),
            ("an adult man swinging an axe at another adult man", "two adult men"),
            ("adult people in a fight", "adult people"),
            ("an adult woman with a rifle", "an adult woman"),
        ),
        "test": (
            ("a crowd of adult men fighting", "a crowd of adult men"),
            ("an adult gangster with a pistol", "an adult man"),
            ("an adult woman firing a rifle", "an adult woman"),
            ("an adult woman attacking an adult man", "an adult woman and an adult man"),
            ("a large explosion", ""),
            ("an adult actor swinging a sword", "an adult actor"),
            (
                "adult protesters fighting with adult police officers",
                "adult protesters and adult police officers",
            ),
            ("an adult man threatening an adult clerk", "an adult man and an adult clerk"),
            ("an adult masked person with a knife", "an adult masked person"),
            ("two adult women fighting hand to hand", "two adult women"),
            ("an adult man with a gunshot wound in the shoulder", "an adult man"),
            ("an adult woman with a bleeding lip", "an adult woman"),
            ("an adult patient with stab wounds", "an adult patient"),
            ("a grenade going off", ""),
            ("an adult man beaten by adult guards", "an adult man and adult guards"),
            ("adult women with machetes", "adult women"),
            ("an adult man kicking another adult man", "two adult men"),
            ("an adult boxer with a bloody face", "an adult boxer"),
            ("an adult man grabbing another adult man in a fight", "two adult men"),
            ("a row of adult women aiming guns", "a row of adult women"),
        ),
    },
    (
        (
            "A brawl of drunken adult men spills out of the tavern into the road.",
            "Drunken adult men stroll out of the tavern into the road.",
        ),
        (
            "An adult detective bends over an adult man with a gunshot wound.",
            "An adult detective bends over an adult man.",
        ),
        ("Two adult women pull knives in a dark stairwell.", "Two adult women in a dark stairwell."),
        ("Adult workers run through a ditch under gunfire.", "Adult workers run through a ditch."),
        (
            "A masked adult man holds a gun to the head of an adult driver.",
            "A masked adult man beside an adult driver.",
        ),
        (
            "An adult surgeon treats a stab wound in the emergency room.",
            "An adult surgeon in the emergency room.",
        ),
        ("A van is torn apart by an explosion.", "A van."),
        ("An adult wrestler lies bleeding on the mat.", "An adult wrestler lies on the mat."),
        ("A bar fight between adult cowboys, chairs flying.", "Adult cowboys in a bar."),
        ("An adult actress raises a sword in a meadow.", "An adult actress in a meadow."),
        ("Adult hikers find an adult man with an axe wound.", "Adult hikers meet an adult man."),
        ("An adult man beats on a door with a club.", "An adult man at a door."),
        ("Adult sailors on a merchant ship open fire with guns.", "Adult sailors on a merchant ship."),
        ("A blast throws the windows into the street.", "Windows above the street."),
        ("An adult assassin draws a knife from his sleeve.", "An adult man straightens his sleeve."),
        ("Bruised adult prisoners stand against the wall.", "Adult prisoners stand against the wall."),
        ("A grenade rolls into a room full of adult clerks.", "A room full of adult clerks."),
        ("An adult woman is threatened with a pistol at a cash machine.", "An adult woman at a cash machine."),
        (
            "A street fight between adult women, filmed from a balcony.",
            "Adult women in the street, filmed from a balcony.",
        ),
        ("An adult man is stabbed in a scene on a stage.", "An adult man in a scene on a stage."),
    ),
    {
        "dev": (
            ("an adult chef stirring a pot", "chef"),
            ("two adult dancers before a show", "dancers"),
            ("fireworks", "fireworks"),
            ("an adult police officer directing traffic", "officer"),
            ("an adult actor bowing", "actor"),
        ),
        "test": (
            ("an adult cyclist taking off a helmet", "cyclist"),
            ("an adult baker with a tray", "baker"),
            ("an adult firefighter", "firefighter"),
            ("two adult judoka bowing", "judoka"),
            ("an adult angler resting", "angler"),
            ("a campfire", "campfire"),
            ("an adult rugby player with a ball", "player"),
            ("an adult sailor on leave", "sailor"),
            ("adult people at a carnival", "carnival"),
            ("an adult surgeon", "surgeon"),
        ),
    },
    STREETS,
)
