"""The words and names that generated exports are made of."""

CHAT_NAME = "Rust Berlin 🦀"

FIRST_NAMES = (
    "Anna", "Ben", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Håkon", "Inés", "Jürgen", "Katya",
    "Liam", "Maja", "Noah", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomasz", "Uma", "Valentina",
    "Wanjiru", "Zoë",
)  # fmt: skip

LAST_NAMES = (
    "", "", "", "", "B.", "Schmidt", "García", "O'Connor", "Nguyễn", "Petrov", "Wang", "Kim", "Cohen", "🇩🇪",
    "de la Cruz", "Müller-Lüdenscheidt", "| DevOps", "(away)", "van der Berg", "🚀",
)  # fmt: skip

WHOLE_NAMES = (
    "李雷", "韩梅梅", "佐藤さくら", "翔太", "김민준", "서연", "אבי כהן", "נועה", "أحمد العلي", "ليلى",
    "Олег Петров", "Настя", "Νίκος", "आरव", "ธนา", "🦊", "👩‍💻 dev", "~*ghost*~",
)  # fmt: skip
"""In other scripts than Latin, or none."""

HOSTILE_NAMES = (
    "<b>Bold & Co</b>",
    "$x^2$ _under_",
    "@channel /start https://spam.example",
    "\u202etxt.exe\u202c",
    "Z̸a̸l̸g̸o̸ ҉",
    "A" * 64,
    "line\nbreak\ttab",
    '"quoted" \\ back',
)

PHRASES = (
    "Does anybody know why the borrow checker refuses this?",
    "Works on my machine 😅",
    "Thanks, that helped a lot!",
    "+1",
    "Who is coming to the meetup on Thursday? We have room for about forty people and free pizza.",
    "I think the lifetime of the returned reference is tied to the argument, so the compiler is right here.",
    "今晚有人在线吗？",
    "Кто-нибудь пробовал новую версию? У меня сборка стала вдвое быстрее.",
    "זה עובד עכשיו, תודה רבה לכולם",
    "هل يمكن لأحد مراجعة التعديل قبل الغد؟",
    "ありがとうございます！",
    "Guten Morgen zusammen ☕",
    "lol",
    "See the second paragraph of the README:\nfirst install,\nthen run the tests.",
    'He said "never again" and then did it again.',
    "Let me check and come back to you after lunch, the build takes a while and I want to be sure.",
)

EMOJI = ("👍", "❤", "🔥", "😁", "🎉", "🤔", "👏", "😢")

MEDIA = (
    # media_type, mime_type, has a duration
    ("sticker", "", False),
    ("voice_message", "audio/ogg", True),
    ("video_file", "video/mp4", True),
    ("video_message", "video/mp4", True),
    ("animation", "video/mp4", True),
    ("audio_file", "audio/mpeg", True),
    ("", "application/pdf", False),
)

ENTITIES = (
    ("bold", "important", ""),
    ("italic", "maybe", ""),
    ("code", "cargo build --release", ""),
    ("pre", 'fn main() {\n    println!("hi");\n}', '"language": "rust"'),
    ("link", "https://doc.rust-lang.org/book/", ""),
    ("text_link", "the book", '"href": "https://doc.rust-lang.org/book/"'),
    ("mention", "@somebody", ""),
    ("mention_name", "Anna", '"user_id": 123456789'),
    ("hashtag", "#help", ""),
    ("custom_emoji", "🦀", '"document_id": "5345906554510012647"'),
    ("spoiler", "the butler did it", ""),
)

SKIPPED_FILE = "(File not included. Change data exporting settings to download.)"
