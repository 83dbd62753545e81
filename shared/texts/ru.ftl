# Every sentence that a person reads, in Russian. Values come escaped from whoever says them.

skipped = —
not-an-integer = Здесь нужно целое число, например { $example }.
not-a-number = Здесь нужно число, например { $example }.
not-yes-or-no = Пожалуйста, ответьте «да» или «нет».
not-a-date = Здесь нужна дата, например { $example } или 2026-03-14.
not-a-datetime = Здесь нужны день и время, например { $example } или 2026-03-14 15:30.
not-an-email = Здесь нужен адрес электронной почты, например name@example.org.
not-a-phone = Здесь нужен номер телефона с кодом страны, например +7 495 1234567.
not-a-url = Здесь нужен веб-адрес, например https://example.org/page.
not-json = Здесь нужен JSON, например {"{"}"name": "value"{"}"}.
not-a-user = Здесь нужен номер пользователя Telegram, например 123456789.
not-a-location = Здесь нужно место: широта и долгота, например 52.52, 13.405.
not-a-choice = Пожалуйста, выберите одну из кнопок.
not-choices = Пожалуйста, выберите кнопками или перечислите через запятую.
wrong-length = { $found ->
    [one] Здесь { $found } символ, а нужно: { $range }.
    [few] Здесь { $found } символа, а нужно: { $range }.
   *[many] Здесь { $found } символов, а нужно: { $range }.
  }
wrong-count = Выбрано { $found }, а нужно: { $range }.
out-of-range = Это число не подходит, нужно: { $range }.
range-both = от { $low } до { $high }
range-low = не меньше { $low }
range-high = не больше { $high }
day-out-of-range = Этот день не подходит: нужен день с { $first } по { $last }.
day-too-early = Нужен день не раньше { $first }.
day-too-late = Нужен день не позже { $last }.
wrong-pattern = Похоже, здесь что-то не так. { $help }
wrong-pattern-help = Пожалуйста, проверьте и отправьте ещё раз.

yes = Да
no = Нет
words-for-yes = да, д, yes, y, true, 1
words-for-no = нет, н, no, n, false, 0

button-answer = Ответить
button-skip = Пропустить
button-submit = Отправить
button-edit = Изменить
button-back = « Назад
button-keep = Оставить: { $value }
button-chosen = Готово ({ $count })
button-share-phone = Отправить мой номер
button-share-location = Отправить, где я
button-pick-user = Выбрать человека
which-option = Что из этого вы имели в виду?
answer-changed = Ваш ответ изменён на: { $value }
question-of = { $number } из { $total }:

button-claim = Беру на себя
button-release = Вернуть ({ $name })
claim-first = Сначала кто-то должен взять это на себя: нажмите «Беру на себя».
claimed-by = Этим уже занимается { $name }.
somebody = кто-то другой
assign-how = Ответьте на шаг командой /assign и назовите человека, например /assign @name.
assign-whom = Я не знаю этого человека. Ему нужно один раз написать мне или в эту группу.
assign-admins = Назначать шаги могут только администраторы этой группы.
your-vote = Ваш голос: { $caption }. Его можно изменить, пока решение не принято.
your-decision = Ваше решение?
not-yours = Этот вопрос не для вас.
outdated = Эта кнопка устарела. /tasks покажет, что вас ждёт.
which-question = Непонятно, на какой вопрос этот ответ; пожалуйста, ответьте на его последнюю копию.
already-here = На это уже есть ответ.
already-answered = Ответ уже есть.
already-answered-by = Ответ уже дан: { $name }, { $at }.
withdrawn = Этот шаг больше не нужен.
expired-note = Этот шаг отозван, отвечать больше не нужно.
given-up-note = Этот шаг сейчас не может продолжиться; те, кто отвечает за процесс, уже знают об этом.
time-is-up-note = Время вышло, отвечать больше не нужно.
time-is-up = Срок истёк, отвечать больше не нужно.
handed-over-note = Никто не ответил вовремя, поэтому шаг передан другому.
handed-over = Этот шаг передан другому, потому что ответа не было вовремя.
too-late = Ваш ответ пришёл слишком поздно: процесс уже отозвал этот шаг.
send-something-else = Я понимаю тексты, файлы и нажатия кнопок. /tasks покажет, что вас ждёт.
nothing-open = Сейчас ничто не ждёт вашего ответа. /tasks покажет, что вас ждёт.
saved-engine-away = Ваш ответ сохранён. Система процессов сейчас не отвечает и получит его, как только снова заработает.
send-as-document = Пожалуйста, отправьте это как файл: нажмите на скрепку, выберите «Файл» и укажите { $what }.
send-a-file = Здесь нужен файл: нажмите на скрепку, выберите «Файл» и укажите { $what }.
send-up-to = Можно прислать до { $most } файлов, по одному или вместе; затем нажмите «Готово».
send-several = Пришлите от { $least } до { $most } файлов, по одному или вместе; затем нажмите «Готово».
send-media = Я жду здесь { $kinds }.
send-media-of = Я жду здесь { $kinds }: { $accept }.
kind-document = файл
kind-photo = фото
kind-video = видео
kind-audio = музыку
kind-voice = голосовое сообщение
files-so-far = Ваши файлы:
files-none = Пока ни одного файла.
files-more = { $count ->
    [one] Можно прислать ещё { $count } файл или нажать «Готово».
    [few] Можно прислать ещё { $count } файла или нажать «Готово».
   *[many] Можно прислать ещё { $count } файлов или нажать «Готово».
  }
files-full = Больше файлов здесь не принять; нажмите «Готово».
files-on-their-way = Некоторые файлы ещё в пути; нажмите «Готово» чуть позже.
files-too-few = { $count ->
    [one] Сначала пришлите хотя бы { $count } файл.
    [few] Сначала пришлите хотя бы { $count } файла.
   *[many] Сначала пришлите хотя бы { $count } файлов.
  }
file-one-only = Здесь нужен один файл; пришлите, пожалуйста, только его.
file-too-many = { $count ->
    [one] Здесь можно принять не больше { $count } файла, этот я пропустил.
    [few] Здесь можно принять не больше { $count } файлов, этот я пропустил.
   *[many] Здесь можно принять не больше { $count } файлов, этот я пропустил.
  }
file-twice = Этот файл уже здесь, вторую копию я пропустил.
per-cent = { $number } %
a-file = ваш файл
a-file-of = файл { $kinds }
storage-away = Хранилище файлов сейчас не отвечает. Ваш файл не потерян, я продолжаю попытки.
file-not-expected = Сейчас файл не нужен. /tasks покажет, что вас ждёт.
one-is-on-its-way = Я ещё сохраняю файл, который вы прислали раньше; пожалуйста, подождите немного.
file-gone = Telegram больше не отдаёт этот файл; пожалуйста, пришлите его ещё раз.
file-lost = Не получилось сохранить этот файл; пожалуйста, пришлите его ещё раз.
file-stored = ✓ Файл { $name } ({ $size }) сохранён.
file-wrong-extension = Нужен файл { $kinds }; пожалуйста, пришлите такой.
file-wrong-content = Имя подходит, но содержимое не { $kinds }; пожалуйста, пришлите настоящий файл.
file-wrong-content-name = Имя подходит, но содержимое не то, что в нём обещано; пожалуйста, пришлите настоящий файл.
file-empty = Этот файл пуст; пожалуйста, пришлите файл с содержимым.
file-too-large = Этот файл слишком большой; можно не больше { $size }.
file-too-large-for-telegram = Telegram передаёт мне файлы размером не больше { $size }, а этот больше.
file-enough-for-today = Больше файлов за сутки я принять не могу; пришлите остальное, пожалуйста, завтра.
file-refused = Этот файл не подходит; пожалуйста, пришлите другой.
or-between = { $left } или { $right }
size-bytes = { $number ->
    [one] { $number } байт
    [few] { $number } байта
   *[many] { $number } байт
  }
size-kilobytes = { $number } КБ
size-megabytes = { $number } МБ
busy-with-another = Вы сейчас отвечаете на другое. Закончите там, потом нажмите здесь «Ответить».
try-again = Сейчас не получилось, пожалуйста, попробуйте ещё раз чуть позже.
questions-first = Пожалуйста, сначала ответьте на вопросы.
done = Готово
answered-by = ✓ { $caption } · { $name }
answered = ✓ { $caption }
until = до { $moment }
time-left = осталось { $span }
reminder = { $title }: ответа всё ещё нет.
reminder-untitled = Это всё ещё ждёт ответа.
held-back = { $count ->
    [one] … и ещё { $count } шаг. Он придёт, когда вы ответите на эти; /tasks покажет, что вас ждёт.
    [few] … и ещё { $count } шага. Они придут, когда вы ответите на эти; /tasks покажет, что вас ждёт.
   *[many] … и ещё { $count } шагов. Они придут, когда вы ответите на эти; /tasks покажет, что вас ждёт.
  }
held-back-many = … и ещё { $count } шагов или больше. Они придут, когда вы ответите на эти; /tasks покажет, что вас ждёт.

hello = Здравствуйте, { $name }.
help =
    Я приношу вам шаги процессов, для которых нужен человек: показываю, о чём речь, а вы отвечаете кнопкой, текстом или файлом.

    /tasks покажет, что вас ждёт
    /status покажет, где сейчас ваши процессы
    /history покажет, на что вы ответили
    /new покажет, что вы можете начать
    /groups покажет группы, где вы администратор, и что для них можно начать
    /cancel отложит или отменит то, что вас ждёт
    /assign в группе, ответом на шаг, скажет, кто его выполнит
    /settings задаст язык, часы и тихое время
    /help покажет это
unknown-command = Я не знаю такой команды. /help покажет те, которые я знаю.
tasks-heading = Вас ждёт:
tasks-heading-page = Вас ждёт (с { $first } по { $last } из { $count }):
task-line = { $title } — { $process }, с { $since }
task-due = срок { $moment }
no-tasks = Вас ничего не ждёт.
history = Вот на что вы ответили:
no-history = Вы ещё ни на что не отвечали.
status = Эти процессы идут. Нажмите на любой, чтобы увидеть, где он сейчас:
no-status = Ни один из ваших процессов сейчас не идёт.
stands-at = { $process } сейчас здесь: { $places }
button-show = Показать: { $title }
button-show-step = Показать

groups = О какой группе речь?
no-groups = Я не знаю группы, где есть я и где вы администратор. Добавьте меня в свою или выберите её ниже.
or-pick-a-group = Это другая группа? Выберите её кнопкой ниже.
button-pick-group = Выбрать группу
anonymous-admin = Вы пишете как анонимный администратор, и я не вижу, кто вы. Напишите мне в личный чат или отключите анонимность в правах администратора.
groups-in-private = Давайте в личном чате: откройте чат со мной и отправьте /groups.
not-a-member = Меня нет в этой группе. Добавьте меня туда и выберите её снова.
not-an-admin = Это могут только администраторы группы, а вы не администратор (или уже нет).
button-settings = Настройки
button-import = Импорт истории
button-start = Начать
button-cancel = Отмена
button-go-on = Продолжить
confirm-import = Импортировать историю группы { $group } и проверить её?
startable = Можно начать:
nothing-startable = Сейчас вы ничего не можете начать.
runs-already = { $key } уже идёт, поэтому ничего нового не начато.
starting = Начато. Первый шаг придёт через мгновение.
start-cancelled = Хорошо, ничего не начато.
already-running = Импорт этой группы уже идёт. Продолжим его?
nothing-waits-there = Он идёт; сейчас в нём вас ничего не ждёт.
here-it-is = Вот оно:
link-not-valid = Эта ссылка не действует, уже не действует или предназначена не вам.
answer-in-group = На это отвечают в группе, где ответ видят все.
button-go-there = Перейти туда
cannot-start = Сейчас это нельзя начать; те, кто отвечает за бота, уже знают почему.

cancel-which = Что вы хотите отменить?
cancel-nothing = Здесь нет ничего, что можно отменить.
cancel-sure = Точно отменить «{ $title }»?
button-cancel-yes = Да, отменить
button-cancel-no = Нет, оставить
cancel-done = Отменено.
cancel-kept = Хорошо, ничего не отменено.
left = Вы отложили «{ $title }». Ваши ответы сохранены.
button-leave = Отложить: { $title }
button-cancel-step = Отменить: { $title }

command-start = что я делаю
command-new = что вы можете начать
command-groups = ваши группы и что для них можно начать
command-tasks = что вас ждёт
command-status = где сейчас ваши процессы
command-history = на что вы ответили
command-cancel = отложить или отменить то, что вас ждёт
command-assign = в группе, ответом на шаг: кто его выполнит
command-settings = ваш язык, часы и тихое время
command-help = что я делаю и как

settings-language = Язык: { $language }
settings-zone = Часовой пояс: { $zone }, там сейчас { $now }
settings-quiet = Тихое время, без напоминаний: { $hours }
settings-no-quiet = Тихое время, без напоминаний: нет
settings-typed = Можно и написать, что вы хотите, например /settings Europe/Moscow или /settings 22:30-06:30.
settings-unknown = Я не знаю такого языка, часового пояса или времени. Попробуйте /settings Русский, /settings Europe/Moscow или, в личном чате, /settings 22:30-06:30.
settings-admins = Менять настройки этой группы могут только её администраторы.
settings-region = Где вы находитесь?
settings-city = В каком месте время такое же, как у вас?
settings-quiet-hours = Когда вам не нужно напоминать?
button-zone = Часовой пояс
button-quiet-hours = Тихое время
button-no-quiet-hours = Нет
