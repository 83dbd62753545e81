"""A Telegram Bot API server for development: an unmodified client talks to it by base URL.

The state is in memory, files are on disk; a control API plays the people. Limits and error texts are
Telegram's own. Known differences:
- webhooks may be plain http on this machine, and certificates are not checked;
- text is counted in UTF-16 units, which is never more generous than Telegram's own count;
- URLs to send are refused like unreachable ones, there is no network;
- left out are the old parse_mode "Markdown", inline mode, polls, stickers, sound, video, payments, channels;
- a webhook's answer is not taken for a method call.
"""
