# Every sentence that a person reads, in English. Values come escaped from whoever says them.

skipped = —
not-an-integer = That should be a whole number, like { $example }.
not-a-number = That should be a number, like { $example }.
not-yes-or-no = Please answer yes or no.
not-a-date = That should be a date, like { $example } or 2026-03-14.
not-a-datetime = That should be a day and a time, like { $example } or 2026-03-14 15:30.
not-an-email = That should be an e-mail address, like name@example.org.
not-a-phone = That should be a phone number with its country code, like +49 30 123456.
not-a-url = That should be a web address, like https://example.org/page.
not-json = That should be JSON, like {"{"}"name": "value"{"}"}.
not-a-user = That should be the id of a Telegram user, like 123456789.
not-a-location = That should be a place, as latitude and longitude like 52.52, 13.405.
not-a-choice = Please choose one of the buttons.
not-choices = Please choose with the buttons, or list them with commas.
wrong-length = { $found ->
    [one] That has one character; { $range } are expected.
   *[other] That has { $found } characters; { $range } are expected.
  }
wrong-count = You chose { $found }; { $range } are expected.
out-of-range = That is out of range; { $range } is expected.
range-both = { $low } to { $high }
range-low = at least { $low }
range-high = at most { $high }
day-out-of-range = That day is out of range; a day from { $first } to { $last } is expected.
day-too-early = A day from { $first } on is expected.
day-too-late = A day up to { $last } is expected.
wrong-pattern = That does not look right. { $help }
wrong-pattern-help = Please check it and send it again.

yes = Yes
no = No
words-for-yes = yes, y, true, 1
words-for-no = no, n, false, 0

button-answer = Answer
button-skip = Skip
button-submit = Submit
button-edit = Edit
button-back = « Back
button-keep = Keep: { $value }
button-chosen = Done ({ $count })
button-share-phone = Share my phone number
button-share-location = Share where I am
button-pick-user = Pick a person
which-option = Which of these do you mean?
answer-changed = Your answer was changed to: { $value }
question-of = { $number } of { $total }:

button-claim = I take it
button-release = Give it back ({ $name })
claim-first = Somebody has to take this first: tap “I take it”.
claimed-by = { $name } has taken this.
somebody = Somebody
assign-how = Reply to the step with /assign and name the person, like /assign @name.
assign-whom = I do not know that person. They have to write to me or in this group once.
assign-admins = Only administrators of this group can assign a step.
your-vote = Your vote: { $caption }. You can change it until this is decided.
your-decision = Your decision?
not-yours = This question is for somebody else.
outdated = This button is out of date. /tasks shows what waits for you.
which-question = I cannot tell which question that answers; please reply to its newest copy.
already-here = That has been answered already.
already-answered = Already answered.
already-answered-by = Already answered by { $name } at { $at }.
withdrawn = This step is no longer needed.
expired-note = This step was taken back; no answer is needed any more.
given-up-note = This step cannot go on just now; the people who run the process have been told.
time-is-up-note = The time for this is up; no answer is needed any more.
time-is-up = This has expired; no answer is needed any more.
handed-over-note = Nobody answered in time, so this was handed over to somebody else.
handed-over = This was handed over to somebody else, because no answer came in time.
too-late = Your answer came too late: the process had already taken this step back.
send-something-else = I can take texts, files and taps on buttons. /tasks shows what waits for you.
nothing-open = Nothing is waiting for your answer right now. /tasks shows what is.
saved-engine-away = Your answer is saved. The process engine does not answer just now; it will get it as soon as it does.
send-as-document = Please send it as a file: tap the paper clip, choose File, and pick { $what }.
send-a-file = I am waiting for a file here: tap the paper clip, choose File, and pick { $what }.
send-up-to = You can send up to { $most } files, one by one or together; then tap Done.
send-several = Please send { $least } to { $most } files, one by one or together; then tap Done.
send-media = I am waiting for { $kinds } here.
send-media-of = I am waiting for { $kinds } here: { $accept }.
kind-document = a file
kind-photo = a photo
kind-video = a video
kind-audio = a piece of music
kind-voice = a voice message
files-so-far = Your files so far:
files-none = No file yet.
files-more = { $count ->
    [one] You can send one more, or tap Done.
   *[other] You can send { $count } more, or tap Done.
  }
files-full = That is as many as can be taken; tap Done.
files-on-their-way = Some files are still on their way; please tap Done in a moment.
files-too-few = { $count ->
    [one] Please send a file first.
   *[other] Please send at least { $count } files first.
  }
file-one-only = I need one file here; please send just that one.
file-too-many = { $count ->
    [one] One file is enough here.
   *[other] At most { $count } files can be taken here, so I left that one out.
  }
file-twice = That file is here already, so I left the second copy out.
per-cent = { $number } %
a-file = your file
a-file-of = a { $kinds } file
storage-away = The file store does not answer just now. Your file is not lost; I keep trying.
scanner-away = The virus scanner does not answer just now. Your file is not lost; I keep trying.
file-not-expected = I did not expect a file just now. /tasks shows what waits for you.
one-is-on-its-way = I am still storing the file that you sent before; please wait a moment.
file-gone = Telegram no longer gives me that file; please send it again.
file-lost = I could not store that file; please send it again.
file-stored = ✓ { $name } ({ $size }) is stored.
file-wrong-extension = I need a { $kinds } file; please send one of these.
file-wrong-content = The name looks right, but the content is not { $kinds }; please send the real file.
file-wrong-content-name = The name looks right, but the content is not what its name says; please send the real file.
file-empty = That file is empty; please send one with content.
file-too-large = That file is too large; at most { $size } can be taken.
file-too-large-for-telegram = Telegram gives me files of at most { $size }, and that one is larger.
file-enough-for-today = You have sent as much as I can take within a day; please send the rest tomorrow.
file-refused = I cannot take that file; please send another one.
file-two-in-one = That file is two things at once, which I cannot take; please save it anew and send that.
file-too-complex = I cannot look through that file within reason; please send a simpler one.
file-cannot-be-scanned = That file is too large for the virus scanner, so I cannot take it.
file-infected = The virus scanner has found something harmful in that file; I have not taken it.
file-archive-unreadable = I cannot look into that kind of archive; please send a .zip instead.
file-archive-encrypted = That archive is locked with a password, so I cannot look into it; please send it without one.
file-archive-broken = That archive is damaged; please pack it anew and send it again.
file-archive-too-large = There is too much in that archive; please send less at a time.
file-archive-too-deep = There are archives within archives in it; please send them one by one.
file-archive-unsafe = There is something in that archive that I cannot take, such as a link or a program under the name of something else; please pack only the files themselves.
file-image-too-large = That picture has too many pixels; please make it smaller and send it again.
file-image-broken = I cannot read that picture; please save it anew and send it again.
file-image-kind = I can take the place and the like only out of JPEG, PNG, WebP, GIF and TIFF; please send the picture as one of these.
file-no-json = That file is no valid JSON; please send the real one.
file-json-lacks = Something is missing in that file at { $place }: { $names }.
file-not-by-schema = Something in that file is not as it should be, at { $place } ({ $rule }).
the-beginning = the beginning
file-csv-lacks = These columns are missing in the first line of that table: { $names }.
export-how = In Telegram Desktop open the group, choose ⋮ › Export chat history, set the format to “Machine-readable JSON”, and send the result.json that it writes.
export-html = That is the HTML form of an export.
export-archive = That is an archive; please unpack it and send the result.json that is in it.
export-no-json = That file is no valid JSON.
export-cut = That file stops in the middle; please export the history again, wait for its end, and send the whole result.json.
export-all-chats = That is the export of all your chats; only the one group is wanted.
export-no-messages = That export has no messages; please export the history again and look at the dates that you choose there.
export-not-one-chat = That file is not the exported history of one chat.
export-lacks = That is no whole export, these are missing in it: { $names }.
or-between = { $left } or { $right }
size-bytes = { $number ->
    [one] one byte
   *[other] { $number } bytes
  }
size-kilobytes = { $number } kB
size-megabytes = { $number } MB
size-gigabytes = { $number } GB
busy-with-another = You are answering something else just now. Finish it first, then tap Answer here.
try-again = That did not work just now, please try again in a moment.
questions-first = Please answer the questions first.
done = Done
answered-by = ✓ { $caption } · { $name }
answered = ✓ { $caption }
until = until { $moment }
time-left = { $span } left
reminder = { $title } still waits for an answer.
reminder-untitled = This still waits for an answer.
held-back = { $count ->
    [one] … and one more. It comes as you answer these; /tasks shows what waits for you.
   *[other] … and { $count } more. They come as you answer these; /tasks shows what waits for you.
  }
held-back-many = … and { $count } or more. They come as you answer these; /tasks shows what waits for you.

hello = Hello { $name }.
help =
    I bring you the steps of processes that need a person: I show what it is about, you answer with a button, a text or a file.

    /tasks shows what waits for you
    /status shows where your processes stand
    /history shows what you have answered
    /new shows what you may start
    /groups shows the groups you administer, and what can be started for them
    /cancel leaves or ends what waits for you
    /assign, in a group as a reply to a step, says who is to do it
    /settings sets your language, clock and quiet hours
    /help shows this
unknown-command = I do not know that command. /help shows those that I know.
tasks-heading = This waits for you:
tasks-heading-page = This waits for you ({ $first } to { $last } of { $count }):
task-line = { $title } — { $process }, since { $since }
task-due = due { $moment }
no-tasks = Nothing waits for you.
history = This is what you answered:
no-history = You have not answered anything yet.
status = These processes are running. Tap one to see where it stands:
no-status = None of your processes is running.
stands-at = { $process } stands at: { $places }
button-show = Show: { $title }
button-show-step = Show

groups = Which group is it about?
no-groups = I know no group where I am a member and you are an administrator. Add me to yours, or pick it below.
or-pick-a-group = Is it another one? Pick it with the button below.
button-pick-group = Pick a group
anonymous-admin = You are writing as an anonymous administrator, so I cannot see who you are. Write to me in a private chat, or turn anonymity off in your administrator rights.
groups-in-private = Let us do that in a private chat: open a chat with me and send /groups.
not-a-member = I am not a member of that group. Add me to it, then pick it again.
not-an-admin = Only administrators of the group can do that, and you are not one (any more).
button-settings = Settings
button-import = Import history
button-start = Start
button-cancel = Cancel
button-go-on = Go on with it
confirm-import = Import the history of { $group } and audit it?
startable = This can be started:
nothing-startable = There is nothing that you may start just now.
runs-already = { $key } is running already, so nothing new was started.
starting = Started. The first step comes in a moment.
start-cancelled = All right, nothing was started.
already-running = An import of this group is running already. Shall we go on with it?
nothing-waits-there = It is running; nothing waits for you in it just now.
here-it-is = Here it is:
link-not-valid = This link does not work (any more), or it is meant for somebody else.
answer-in-group = This is answered in its group, where everybody sees it.
button-go-there = Go there
cannot-start = That cannot be started just now; the people who run this bot have been told why.

cancel-which = What do you want to cancel?
cancel-nothing = Nothing that waits for you can be cancelled here.
cancel-sure = Really cancel “{ $title }”?
button-cancel-yes = Yes, cancel it
button-cancel-no = No, keep it
cancel-done = Cancelled.
cancel-kept = All right, nothing was cancelled.
left = You left “{ $title }”. Your answers so far are kept.
button-leave = Leave: { $title }
button-cancel-step = Cancel: { $title }

command-start = what I do
command-new = what you may start
command-groups = your groups, and what can be started for them
command-tasks = what waits for you
command-status = where your processes stand
command-history = what you have answered
command-cancel = leave or end what waits for you
command-assign = in a group, as a reply to a step: who is to do it
command-settings = your language, clock and quiet hours
command-help = what I do and how

settings-language = Language: { $language }
settings-zone = Time zone: { $zone }, where it is { $now }
settings-quiet = Quiet hours, without reminders: { $hours }
settings-no-quiet = Quiet hours, without reminders: none
settings-typed = You can also write what you wish, like /settings Europe/Berlin or /settings 22:30-06:30.
settings-unknown = I know no such language, time zone or hours. Try /settings English, /settings Europe/Berlin or, in our private chat, /settings 22:30-06:30.
settings-admins = Only administrators of this group can change its settings.
settings-region = Where are you?
settings-city = Which place has your time?
settings-quiet-hours = When shall nobody remind you?
button-zone = Time zone
button-quiet-hours = Quiet hours
button-no-quiet-hours = None

button-upload-page = Larger file, or from a computer
button-open-page = Open the upload page
button-copy-link = Copy the link for a computer
upload-link = Here you can send { $label } by a browser, also what is too large for Telegram. The link waits until { $moment }.
upload-link-once = It is for you alone and works in one browser only, so do not pass it on.
page-title = Send a file
page-choose = Choose a file
page-choose-many = Choose files
page-drop = or drop it here
page-drop-many = or drop them here
page-done = Done
page-noscript = This page needs JavaScript. You can also send the file in the chat.
page-kinds = Taken: { $kinds }.
page-limit = At most { $size }.
page-up-to = Up to { $most } files.
page-several = { $least } to { $most } files.
page-too-many = No more files can be taken here.
page-waiting = Waits its turn
page-sending = { $percent } % of { $size }
page-left = about { $span } left
page-paused = Paused at { $percent } %
page-offline = The connection is gone. It goes on by itself as soon as it is back.
page-interrupted = Interrupted at { $percent } %. Choose the same file again, and only what is missing is sent.
page-checking = Sent. It is being checked …
page-stored = Stored
page-all-done = Thank you, that is all. The chat shows it; you can close this page.
page-now-done = Thank you. When these are all, choose { $done } here or in the chat.
page-pause = Pause
page-resume = Resume
page-remove = Remove
page-again = Choose it again
page-pause-of = Pause { $name }
page-resume-of = Resume { $name }
page-remove-of = Remove { $name }
page-again-of = Choose { $name } again
page-progress-of = Progress of { $name }
page-not-the-same = That is another file. Choose { $name } again, or remove it first.
page-unknown = This link is not (or no longer) known. Ask for a new one in the chat.
page-expired = This link has expired. Ask for a new one in the chat.
page-used = This link was opened in another browser already, and works in that one only. Ask for a new one in the chat.
page-over = This page is not needed any more; the chat shows what became of it.
page-in-telegram = Please open this page by its button in your chat with the bot.
page-file-over = That file is not being sent any more. Choose it again.
