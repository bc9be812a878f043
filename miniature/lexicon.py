"""The words of the synthetic world: names, sentence patterns, openings, closings, request forms.

Only data belongs here; :mod:`miniature.world` puts it together.

Marks in the patterns: ``{P} {L} {O} {A} {E}`` is a new person, place, object, animal or event (at
most one of each in a pattern); ``{e}`` stands for the request's entities, as a list ("X and Y").

No pattern has more than seven words in a row without an entity in it, so that two sentences from
the same pattern do not share ten words in a row.
"""

# One line per word would make this file a thousand lines long.
# fmt: off

WOMEN = (
    "Mara", "Orla", "Hanne", "Petra", "Della", "Brida", "Lotte", "Edda", "Hilda", "Kestra",
    "Nessa", "Rhoda", "Tamsin", "Vera", "Willa", "Zelda", "Greta", "Isolde", "Maud", "Odette",
    "Ursa", "Linnet", "Sabine", "Thea",
)
MEN = (
    "Tobin", "Selwin", "Ivo", "Rusk", "Corin", "Anselm", "Joss", "Fenn", "Garrick", "Ingo",
    "Lorn", "Milo", "Osric", "Pell", "Stellan", "Ulric", "Yorick", "Abel", "Fausto", "Hugo",
    "Jarek", "Leif", "Nils", "Piers",
)
SURNAMES = (
    "Quill", "Venn", "Tolliver", "Brandt", "Ashdown", "Corvin", "Drake", "Ember", "Fallow",
    "Grist", "Harrow", "Inkpen", "Juniper", "Larkin", "Moss", "Nettle", "Oakes", "Pike", "Rooke",
    "Sorrel", "Umber", "Vane", "Wick", "Yarrow", "Zeller", "Bellamy", "Crane", "Dunmore",
    "Eastley", "Finch", "Gale", "Holloway", "Ivers", "Jessop", "Keel", "Lumley", "Merrow",
    "Norwood", "Pryor", "Trask",
)
PLACE_NAMES = (
    "Saltmere", "Thornby", "Wexcombe", "Aldwick", "Brackley", "Cawston", "Dunholm", "Elmstead",
    "Farleigh", "Gorsely", "Hexley", "Ivering", "Kelmarsh", "Langdale", "Marrow", "Netherby",
    "Ottery", "Pembrook", "Quenby", "Ravensey", "Stanmoor", "Tidewell", "Upwey", "Vellum",
    "Westrop", "Yarbury", "Zennor", "Ashcott", "Birchover", "Coldwell", "Drayford", "Everdon",
    "Foxcote", "Glenholt",
)
PLACE_KINDS = (
    "Bridge", "Mill", "Harbour", "Chapel", "Market", "Tower", "Orchard", "Library", "Quarry",
    "Garden", "Lighthouse", "Inn", "Castle", "Square", "Museum", "Ferry", "School", "Forge",
    "Theatre", "Abbey", "Station", "Bakery", "Manor", "Farm",
)
OBJECT_QUALITIES = (
    "copper", "silver", "wooden", "painted", "broken", "ancient", "crooked", "golden", "narrow",
    "iron", "marble", "velvet", "dusty", "polished", "hollow", "crimson", "amber", "rusty",
    "woven", "carved", "stolen", "forgotten", "ivory", "striped", "heavy", "tiny", "enamel",
    "leather", "bronze", "folding",
)
OBJECT_KINDS = (
    "lantern", "clock", "map", "key", "violin", "compass", "mirror", "ring", "kettle", "ladder",
    "basket", "drum", "bell", "book", "hammer", "anchor", "coin", "flute", "mask", "needle",
    "lamp", "saddle", "sword", "telescope", "teapot", "umbrella", "whistle", "quilt", "chest",
    "bowl",
)
ANIMAL_QUALITIES = (
    "grey", "lame", "one-eyed", "white", "black", "brown", "young", "old", "sleepy", "hungry",
    "shy", "clever", "stubborn", "gentle", "spotted", "greedy", "noisy", "proud", "restless",
    "red",
)
ANIMAL_KINDS = (
    "goat", "heron", "otter", "fox", "badger", "raven", "donkey", "owl", "hare", "mule", "goose",
    "cat", "hound", "pony", "falcon", "turtle", "rooster", "stork", "weasel", "swan", "lynx",
    "magpie", "ferret", "lamb",
)
EVENT_QUALITIES = (
    "harvest", "midwinter", "candle", "spring", "salt", "apple", "midnight", "herring", "ribbon",
    "barley", "river", "snow", "moon", "kite", "honey", "chestnut", "sunrise", "thunder", "pear",
    "clover",
)
EVENT_KINDS = (
    "fair", "feast", "regatta", "race", "parade", "festival", "ball", "concert", "contest",
    "procession", "dance", "auction", "banquet", "pageant",
)

# ---------------- what is said of an entity, by kind
# ACTS happened once and take a time or a manner; STATES lasted; DETAILS name no new entity.

ACTS = {
    "person": (
        "bought {O} from {P}",
        "sold {O} at {E}",
        "found {O} near {L}",
        "repaired {O}",
        "lost {O} at {E}",
        "painted a picture of {A}",
        "wrote a song about {L}",
        "met {P} at {E}",
        "quarrelled with {P}",
        "made peace with {P}",
        "gave {O} to {P}",
        "borrowed {O} from {P}",
        "taught {P} to read",
        "carried {O} to {L}",
        "rescued {A} from the river",
        "hid {O} under the floor of {L}",
        "walked all the way to {L}",
        "lent money to {P}",
        "spoke at {E}",
        "opened a small shop beside {L}",
        "sent a letter to {P}",
        "won {O} in a game of cards",
        "asked {P} for help",
        "drew a map of {L}",
        "missed {E} because of a fever",
        "moved to a room above {L}",
        "planted an apple tree beside {L}",
        "followed {A} into the hills",
        "cured {A} of a cough",
        "promised {O} to {P}",
        "refused to sell {O}",
        "spent a night in {L}",
        "took part in {E}",
        "arrived late for {E}",
        "cooked for the guests of {E}",
        "brought {A} to {E}",
        "traded {O} for a sack of flour",
        "was invited to {E}",
        "left {L} with {O}",
        "saved {P} from the flood",
        "built a fence to keep out {A}",
        "read a poem at {E}",
    ),
    "place": (
        "was built by {P}", "owed its colours to {P}", "burned down on the day of {E}",
        "rose again with money from {P}", "closed for a week because of {A}",
        "was searched for {O}", "went to {P} for a small price", "opened its doors for {E}",
        "received {O} as a gift", "welcomed {P}", "lost its roof during {E}",
        "gave shelter to {A}", "stood under water on the day of {E}", "changed hands for {O}",
        "passed to {P}", "appeared in a song by {P}", "was saved from ruin by {P}", "hosted {E}",
        "caught fire during {E}", "put up flags for {E}", "amazed {P}", "changed hands after {E}",
        "bought {O} from {P}", "took the blame for the loss of {O}",
        "needed a new door because of {A}", "fell to {P} in a game of cards", "lent {O} to {L}",
        "made {P} rich", "frightened {A}", "sent {O} to {L}",
    ),
    "object": (
        "was made by {P}", "turned up in {L}", "disappeared together with {A}",
        "cost {P} a fortune", "fell into the river near {L}", "got lost during {E}",
        "won a prize at {E}", "was repaired by {P}", "changed hands for {O}",
        "went to {P} as a gift", "lay hidden in {L}", "frightened {A}",
        "survived a fight with {A}", "passed to {P}", "stayed behind in {L}", "vanished from {L}",
        "was pawned by {P}", "spent a year under the floor of {L}", "surfaced again at {E}",
        "helped {P} out of debt", "was thrown into a well by {P}", "served as a model for {P}",
        "came from {L}", "broke on the eve of {E}", "fetched a high price at {E}",
        "caused a quarrel with {P}", "saved the life of {P}", "travelled to {E} in a box",
        "was dug up by {A}", "arrived at {L} in a cart", "appeared in a letter by {P}",
        "fooled {P}",
    ),
    "animal": (
        "stole {O}", "followed {P} home", "ran away from {P}", "owed its life to {P}",
        "broke {O}", "chased {A}", "changed hands at {E}", "won a race at {E}",
        "frightened the guests of {E}", "slept through {E}", "swam across the river to {L}",
        "bit {P}", "got lost near {L}", "turned up behind {L}", "came to {P} as a gift",
        "sat for a picture by {P}", "climbed onto the roof of {L}", "knocked over {O}",
        "dug up {O}", "woke everyone in {L}", "escaped during {E}", "was traded for {O}",
        "led {P} out of the fog", "was born in the cellar of {L}",
        "swallowed a button from the coat of {P}", "spent a night locked up in {L}",
        "walked in front of everyone at {E}", "recovered in the arms of {P}", "hid behind {O}",
        "caused trouble at {E}", "returned to {P} after a year",
    ),
    "event": (
        "was first held at {L}", "opened with a speech by {P}", "stopped because of {A}",
        "nearly failed because of {A}", "cost {P} a fortune", "began with a toast to {P}",
        "ended with the sale of {O}", "brought {P} back from the city", "moved to {L}",
        "took its name from {P}", "inspired a song by {P}", "made {O} famous",
        "brought victory to {P}", "lasted until {P} fell asleep", "filled every bed in {L}",
        "ended after the theft of {O}", "led to a quarrel with {P}", "delighted {P}",
        "started a small fire in {L}", "made room for {A}", "was saved by {P}",
        "made a hero of {A}", "returned to {L}", "could be heard at {L}",
        "opened with the sound of {O}", "impressed {P}", "left nothing but {O} behind",
        "drew a crowd to {L}", "grew from an idea of {P}",
    ),
}

STATES = {
    "person": (
        "kept {O} under the bed",
        "looked after {A}",
        "was afraid of {A}",
        "admired {P}",
        "worked at {L}",
        "lived next door to {P}",
        "dreamed of {L}",
        "never parted from {O}",
        "wanted to own {O}",
        "was a good friend of {P}",
        "told stories about {A}",
        "talked about nothing but {E}",
        "shared a boat with {P}",
        "could see {L} from the window",
        "owed money to {P}",
        "polished {O} every evening",
        "collected stories about {E}",
        "fed {A} at the back door",
        "sang at {E} every year",
        "looked forward to {E}",
        "played chess with {P}",
        "was proud of {O}",
        "knew every corner of {L}",
        "taught the children near {L}",
        "was in love with {P}",
        "slept badly because of {A}",
        "mended nets beside {L}",
        "wrote letters to {P}",
        "avoided {L}",
        "hoped to see {E} again",
        "went to {L} on Sundays",
        "trusted {P} completely",
    ),
    "place": (
        "stood on the road to {L}", "hid {O} in its cellar", "had {A} as a guard",
        "belonged to {P}", "was famous for {O}", "shared a wall with {L}", "was home to {A}",
        "pleased {P} more than any other place", "stood empty after {E}",
        "kept {O} above its door", "faced {L} across the water", "was older than {L}",
        "remained the favourite place of {P}", "drew crowds during {E}",
        "lay in the shadow of {L}", "depended on {P}", "supplied the food for {E}",
        "scared away {A}", "looked down on {L}", "bore the name of {P}",
        "kept the memory of {E} alive", "reminded {P} of home", "traded with {L}",
    ),
    "object": (
        "belonged to {P}", "hung on the wall of {L}", "lay beside {O}", "remained in {L}",
        "looked exactly like {O}", "outshone {O}", "was the pride of {L}",
        "never left the side of {A}", "meant everything to {P}", "reminded everyone of {E}",
        "stood in a window of {L}", "delighted {P}", "played a part in {E}", "made {A} nervous",
        "carried the name of {P}", "was older than {L}", "matched {O} perfectly",
        "appeared every year at {E}", "amused {A}", "brought good luck to {P}",
        "rested on top of {O}", "decorated {L}",
    ),
    "animal": (
        "slept in {L}", "followed {P} everywhere", "guarded {O}", "feared {A}",
        "shared its food with {A}", "drank from the well at {L}", "belonged to {P}",
        "trusted only {P}", "played with {A}", "waited outside {L}", "was the best friend of {A}",
        "went nowhere without {A}", "liked to sit on {O}", "took food only from {P}",
        "hid from {P}", "lived in the garden of {P}", "hated the noise of {E}",
        "looked forward to {E}", "visited {L} every morning", "kept away from {O}",
        "charmed everyone at {L}", "obeyed nobody but {P}",
    ),
    "event": (
        "took place at {L}", "was organised by {P}", "attracted visitors from {L}",
        "remained the pride of {L}", "was older than {L}", "ended at the gates of {L}",
        "needed {P} as a leader", "had {O} as its prize", "was famous for {A}",
        "began with a song about {A}", "depended on {P}", "meant a day of rest for {P}",
        "honoured {P}", "drew people from {L}", "featured {O}", "kept {A} awake",
        "frightened {A}", "needed the help of {P}", "turned around {O}",
    ),
}

DETAILS = {
    "person": (
        "rose before dawn",
        "never learned to swim",
        "spoke three languages",
        "never married",
        "was known for a loud laugh",
        "walked with a stick",
        "trusted nobody",
        "hated the cold",
        "forgot every name",
        "never told a lie",
        "loved the smell of rain",
        "ate very little",
        "wore the same coat for years",
        "laughed at every danger",
        "could not keep a secret",
        "counted every coin twice",
        "whistled while working",
        "had a good eye for weather",
    ),
    "place": (
        "was built of grey stone",
        "leaned a little to the east",
        "was cold even in summer",
        "had seven windows and one door",
        "smelled of bread and smoke",
        "was quiet at night",
        "had a roof of green slate",
        "was never locked",
        "creaked in the wind",
        "was covered in ivy",
        "had a view of the sea",
        "had walls as thick as an arm",
        "was warm and dry",
        "had a secret staircase",
    ),
    "object": (
        "had a crack along one side",
        "weighed almost nothing",
        "shone in the dark",
        "had lost most of its colour",
        "smelled faintly of smoke",
        "was heavier than it looked",
        "could not be opened",
        "was covered in tiny letters",
        "never needed repair",
        "was wrapped in blue cloth",
        "made a strange sound",
        "felt warm to the touch",
        "had a small dent",
        "was worth very little",
    ),
    "animal": (
        "ate almost anything",
        "never made a sound",
        "had a white spot on its nose",
        "limped a little",
        "disliked strangers",
        "grew fat on stolen bread",
        "was afraid of thunder",
        "slept all day",
        "could open doors",
        "liked music",
        "was older than it looked",
        "came only when it was hungry",
        "left muddy tracks everywhere",
        "hated water",
    ),
    "event": (
        "lasted three days",
        "was free for everyone",
        "ended with fireworks",
        "was louder every year",
        "took weeks to prepare",
        "was held in the rain",
        "began at noon",
        "drew a large crowd",
        "was quieter than usual",
        "cost a fortune",
        "ended long after midnight",
        "was the talk of the valley",
    ),
}

ACT_HEADS = (
    "One morning",
    "One evening",
    "One summer",
    "One winter",
    "Years later",
    "That same year",
    "On a market day",
    "A week later",
    "After the storm",
    "Much later",
    "Not long afterwards",
    "In the spring",
    "In the autumn",
    "By pure chance",
    "Against all advice",
    "In the end",
    "On a cold night",
    "To the surprise of all",
    "Once",
)
ACT_TAILS = (
    "in the spring", "in the summer", "in the autumn", "in the winter", "on a wet morning",
    "late at night", "before sunrise", "after the harvest", "on a foggy day", "during a storm",
    "many years ago", "in plain daylight", "at the end of the year", "one cold evening",
    "on the first day of May", "when nobody expected it",
)
# Only for those who act on purpose.
MANNER_TAILS = (
    "without a word", "in a great hurry", "for no clear reason", "after a long wait",
    "in front of everyone", "at the first chance", "with some pride", "in the dark",
)
STATE_HEADS = (
    "For many years",
    "In those days",
    "By all accounts",
    "From the first day",
    "At that time",
    "In good years and bad",
    "For a while",
    "As a rule",
    "More than anything else",
    "Until the war",
)
STATE_TAILS = (
    "for many years",
    "in those days",
    "until the very end",
    "for most of the year",
    "for a whole winter",
    "as long as anyone could remember",
    "day and night",
    "for a time",
    "through good years and bad",
    "from then on",
)
# Hearsay before a sentence; {P} names a new person.
SOURCES = (
    "People say that",
    "It is said that",
    "The records show that",
    "Everyone knew that",
    "According to {P},",
    "{P} always said that",
    "Few people remember that",
    "A letter from {P} says that",
    "{P} once told me that",
    "Some believe that",
)
APPOSITIONS = {
    "person": (
        "a baker by trade",
        "a weaver by trade",
        "a retired sailor",
        "a young teacher",
        "a patient doctor",
        "a maker of clocks",
        "the child of a miller",
        "a traveller from the north",
        "a singer of some fame",
        "a poor painter",
        "a keeper of bees",
        "a lawyer without clients",
    ),
    "place": (
        "high above the river",
        "at the edge of the forest",
        "a day from the coast",
        "in the oldest part of town",
        "down by the water",
        "behind the old wall",
        "at the end of a long road",
        "between two hills",
    ),
    "object": (
        "no longer than a hand",
        "a fine piece of work",
        "plain as it was",
        "once thought lost",
        "the work of many months",
        "a gift from a stranger",
        "small but heavy",
        "an odd thing to own",
    ),
    "animal": (
        "small as it was",
        "a creature of habit",
        "quick and silent",
        "the terror of the yard",
        "loved by all the children",
        "already grey around the eyes",
        "a true survivor",
        "born in a barn",
    ),
    "event": (
        "a yearly event",
        "an old custom",
        "a day of music and noise",
        "the great day of the year",
        "a rather small affair",
        "loved by young and old",
        "a wild night",
        "an event like no other",
    ),
}

# ---------------- the frame of a text, by genre
# What a paragraph's topic has to do with that of the next one.
LINKS = (
    "never far from {e}", "no stranger to {e}", "often named with {e}", "rarely seen without {e}",
    "so unlike {e}", "almost as old as {e}", "second only to {e}", "dearer to many than {e}",
    "part of the story of {e}", "linked for ever with {e}", "once compared with {e}",
    "hardly less famous than {e}", "forgotten sooner than {e}", "always in the shadow of {e}",
    "in some ways like {e}", "older by far than {e}", "closer than most to {e}",
    "not to be confused with {e}", "known long before {e}", "quite as dear as {e}",
    "sometimes blamed for {e}", "half the reason for {e}", "less well known than {e}",
    "on good terms with {e}", "the opposite of {e}", "nothing at all without {e}",
    "remembered together with {e}", "in every tale about {e}", "always praised after {e}",
    "the very first thought of {e}", "of more use than {e}", "no match for {e}",
)

REQUESTS = {
    "report": (
        "Write a report about {e}.",
        "Write a detailed report on {e}.",
        "Please prepare a full report on {e}.",
        "We need a report that covers {e}.",
    ),
    "letter": (
        "Write a letter about {e}.",
        "Write a long letter to a friend about {e}.",
        "Please write a letter to your cousin about {e}.",
    ),
    "story": (
        "Write a story about {e}.",
        "Tell the story of {e}.",
        "Please tell me a long story about {e}.",
        "I would love to read a story about {e}.",
    ),
    "chronicle": (
        "Write a chronicle of {e}.",
        "Tell the history of {e}.",
        "Compose a chronicle that covers {e}.",
    ),
    "guide": (
        "Write a guide to {e}.",
        "Write a guide for visitors about {e}.",
        "Visitors keep asking about {e}. Write a guide for them.",
    ),
    "essay": (
        "Write an essay about {e}.",
        "Compose an essay on {e}.",
        "Please write a long essay on {e}.",
        "My teacher wants an essay about {e}. Please write it.",
    ),
    "speech": (
        "Write a speech about {e}.",
        "Please write a speech in honour of {e}.",
        "I have to give a speech about {e}. Please write it.",
    ),
    "diary": (
        "Write a diary entry about {e}.",
        "Write a page of a diary about {e}.",
    ),
    "account": (
        "Describe {e} in detail.",
        "Explain everything that is known about {e}.",
        "What can you tell me about {e}?",
        "Tell me all about {e}.",
        "Give a full account of {e}.",
    ),
}
OPENINGS = {
    "report": (
        "This report is about {e}.",
        "The following report deals with {e}.",
        "Here is what is known about {e}.",
    ),
    "letter": (
        "Dear friend, you asked me about {e}.",
        "Dear cousin, let me tell you about {e}.",
        "My dear friend, I have news of {e}.",
    ),
    "story": (
        "This is the story of {e}.",
        "Let me tell you a story about {e}.",
        "Everyone in the valley knew the story of {e}.",
    ),
    "chronicle": (
        "This is the chronicle of {e}.",
        "Here begins the chronicle of {e}.",
        "The old books tell us of {e}.",
    ),
    "guide": (
        "This guide is about {e}.",
        "Welcome to this guide to {e}.",
        "Every visitor should know about {e}.",
    ),
    "essay": (
        "This essay is about {e}.",
        "Much has been written about {e}.",
        "It is worth thinking about {e}.",
    ),
    "speech": (
        "Dear guests, tonight I speak about {e}.",
        "Dear friends, let us remember {e}.",
        "Ladies and gentlemen, I want to talk about {e}.",
    ),
    "diary": (
        "Today I thought a lot about {e}.",
        "Today I heard more about {e}.",
        "Dear diary, I must write about {e}.",
    ),
    "account": (
        "There is much to say about {e}.",
        "Few people know the truth about {e}.",
        "Here is a full account of {e}.",
    ),
}
CLOSINGS = {
    "report": (
        "This is all that is known about {e}.",
        "Here ends the report on {e}.",
        "Nothing more is known about {e}.",
    ),
    "letter": (
        "That is all I know about {e}, so farewell.",
        "Write soon if you hear more about {e}.",
        "Please give my regards to all who remember {e}.",
    ),
    "story": (
        "And that is the story of {e}.",
        "So ends the story of {e}.",
        "To this day people tell the story of {e}.",
    ),
    "chronicle": (
        "Here ends the chronicle of {e}.",
        "So much is written about {e}.",
        "The old books say no more about {e}.",
    ),
    "guide": (
        "Enjoy your visit, and think of {e}.",
        "This ends our guide to {e}.",
        "Now you know all about {e}.",
    ),
    "essay": (
        "In short, we can still learn from {e}.",
        "That is why we should remember {e}.",
        "So there is more than one side to {e}.",
    ),
    "speech": (
        "Please raise your glasses to {e}.",
        "Thank you, and let us never forget {e}.",
        "Long may we remember {e}.",
    ),
    "diary": (
        "Now I must sleep and dream of {e}.",
        "Tomorrow I will write more about {e}.",
        "I shall never forget {e}.",
    ),
    "account": (
        "That is all there is to say about {e}.",
        "Such is the truth about {e}.",
        "This is the whole account of {e}.",
    ),
}

# Requests that a long text does not suit, with their short answers.
SHORT_REQUESTS = (
    ("Give one word that describes {e}.", ("Strange.", "Famous.", "Quiet.", "Lovely.")),
    ("Name a colour that suits {e}.", ("Blue.", "Green.", "Grey.", "Yellow.")),
    ("Is {e} well known? Answer yes or no.", ("Yes.", "No.")),
    ("Suggest a nickname for {e}.", ("Old Thunder.", "Lucky.", "The Quiet One.")),
    ("How many people know {e}? Give only a number.", ("Seven.", "Forty.", "Nine hundred.")),
    ("Say hello to {e}.", ("Hello, {e}.", "Good morning, {e}.")),
    ("Write a title of three words about {e}.", ("A Quiet Wonder.", "The Last Secret.")),
    ("In which year did you hear of {e}?", ("Last year.", "Two years ago.")),
)

LENGTH_SENTENCES = ("Use {length}.", "Take {length} for it.")

REPEAT_REQUEST = "Repeat these words: {words}"
