#!/bin/sh
# Send Asterisk's recordings and voicemails to Spoke Webhooks, with the call that they are of.
#
#   spoke-media.sh recording UNIQUEID [LINKEDID]   MixMonitor's command, run once the file is closed
#   spoke-media.sh voicemail CONTEXT MAILBOX ...   voicemail.conf's externnotify, which adds the words itself
#   spoke-media.sh retry                           send what waits; cron's line
#   spoke-media.sh check                           say whether all is set up; run it once by hand
#
# What cannot be sent now waits in a spool, and goes out in order. What the appliance can never take is moved
# to failed/ with its answer. Asterisk's own files are only read. Needs curl and flock (of util-linux).
#
# Asterisk runs this by a shell, and names of files hold what a caller chose to be called. So the command line
# has ids and nothing else; names are read from folders, and go no way but into JSON.

set -u
umask 077
LC_ALL=C
export LC_ALL

# A site that differs writes these five, as NAME=value, into the file of the next line.
settings=${SPOKE_SETTINGS:-/etc/asterisk/spoke-media.settings}
[ ! -r "$settings" ] || . "$settings"
config=${SPOKE_CURL:-/etc/asterisk/spoke-media.curl} # address and token, in the form of curl --config
folder=${SPOKE_FOLDER:-/var/spool/asterisk/spoke-media}
monitor=${SPOKE_MONITOR:-/var/spool/asterisk/monitor}
boxes=${SPOKE_VOICEMAIL:-/var/spool/asterisk/voicemail}
settle_s=${SPOKE_SETTLE_S:-2} # the call's own end, which Asterisk tells by another way, comes first then

most_entries=1000
most_kib=2097152
most_failed=100
most_days=7
log_bytes=1000000

say() {
	printf '%s %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$*" >>"$folder/log"
	printf 'spoke-media: %s\n' "$*" >&2
}

is_id() {
	case $1 in '' | *[!A-Za-z0-9._+-]* | .*) return 1 ;; esac
}

is_number() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
}

prepare() {
	mkdir -p "$folder/spool" "$folder/failed" "$folder/seen" || exit 1
	# Messages from before the installation are no news. The file with the token was written then.
	[ -e "$folder/since" ] || touch -r "$config" "$folder/since" 2>/dev/null || : >"$folder/since"
	exec 8>>"$folder/adding.lock" 9>>"$folder/sending.lock"
	: >>"$folder/log"
	for program in curl flock; do
		command -v $program >/dev/null || {
			say "$program is missing: install it."
			exit 1
		}
	done
}

# A text as JSON. Bytes that are no UTF-8 are read as Latin-1; control characters are left out.
json() {
	printf '%s' "$1" | od -An -v -tu1 | awk '
		{ for (i = 1; i <= NF; i++) byte[n++] = $i + 0 }
		function put(code) {
			if (code == 34 || code == 92) printf "\\%c", code
			else if (code >= 32 && code < 127) printf "%c", code
			else if (code >= 65536) {
				code -= 65536
				printf "\\u%04x\\u%04x", 55296 + int(code / 1024), 56320 + code % 1024
			} else if (code >= 160) printf "\\u%04x", code
		}
		END {
			printf "\""
			for (i = 0; i < n; i += more + 1) {
				first = byte[i]
				more = first < 194 ? 0 : first < 224 ? 1 : first < 240 ? 2 : first < 245 ? 3 : 0
				code = more == 1 ? first - 192 : more == 2 ? first - 224 : more == 3 ? first - 240 : first
				for (k = 1; k <= more; k++) {
					if (i + k >= n || byte[i + k] < 128 || byte[i + k] > 191) { code = -1; break }
					code = code * 64 + byte[i + k] - 128
				}
				if (more == 2 && (code < 2048 || (code >= 55296 && code < 57344))) code = -1
				if (more == 3 && (code < 65536 || code > 1114111)) code = -1
				if (code < 0) { more = 0; code = first }
				put(code)
			}
			printf "\""
		}'
}

# --- the spool: a folder for each recording, numbered; adding.lock is held while one is added ---

is_full() {
	set -- "$folder"/spool/*
	[ $# -ge $most_entries ] || [ "$(du -sk "$folder/spool" | sed 's/[^0-9].*//')" -ge $most_kib ]
}

# keep EVENT FILE: put a recording behind those that wait. A link, where it can be one, takes no room.
keep() {
	if is_full; then
		say "The spool is full: $2 is not sent. Look why nothing goes out: $0 check"
		return 1
	fi
	number=$(cat "$folder/number" 2>/dev/null)
	is_number "$number" || number=0
	while number=$((number + 1)) && entry=$folder/spool/$(printf %010d "$number") && [ -e "$entry" ]; do :; done
	draft=$folder/draft
	rm -rf "$draft"
	if mkdir "$draft" && { ln "$2" "$draft/audio" 2>/dev/null || cp "$2" "$draft/audio"; } &&
		printf '%s\n' "$1" >"$draft/event" &&
		printf '%s\n' "$number" >"$folder/number.new" && mv "$folder/number.new" "$folder/number" &&
		mv "$draft" "$entry"; then
		return 0
	fi
	say "$2 could not be put into the spool; it is not sent."
	return 1
}

# give_up ENTRY WHY: move it aside, with the appliance's answer. The oldest such go.
give_up() {
	say "$2 It lies in $folder/failed/${1##*/}, with the answer."
	mv "$1" "$folder/failed/"
	set -- "$folder"/failed/*
	while [ $# -gt $most_failed ]; do
		rm -rf "$1"
		shift
	done
}

# post CURL-OPTION ...: prints the HTTP status, 000 where there was none. --disable: a .curlrc is not for us.
post() {
	curl --disable --config "$config" --silent --show-error --connect-timeout 10 --max-time 900 \
		--write-out '%{http_code}' "$@" 8>&- 9>&-
}

# send ENTRY: returns 1 where the others had better wait as well.
send() {
	status=$(post --form "event=<$1/event;type=application/json" --form "file=@$1/audio" \
		--header 'Expect:' --output "$1/answer" 2>"$1/error")
	case $status in
	2??)
		rm -rf "$1"
		return 0
		;;
	400 | 405 | 409 | 411 | 413 | 414 | 415 | 422)
		give_up "$1" "The appliance answered $status and will not take it."
		return 0
		;;
	esac
	if [ -n "$(find "$1/event" -mtime +"$most_days")" ]; then
		give_up "$1" "It could not be sent for $most_days days (answer ${status:-000})."
		return 0
	fi
	say "Not sent: answer ${status:-000} $(head -c 300 "$1/error" | tr '\n' ' '); it waits in $1."
	case $status in 5*) case $status in 502 | 503 | 504 | 507) return 1 ;; esac ;; *) return 1 ;; esac
}

# Send what waits. One process sends; before it leaves it looks for what others have added meanwhile.
flush() {
	sent_to=0
	while flock -n 9; do
		for entry in "$folder"/spool/*; do
			[ -e "$entry" ] && [ "${entry##*/}" -gt "$sent_to" ] || continue
			sent_to=${entry##*/}
			[ ! -e "$entry/event" ] || send "$entry" || {
				flock -u 9
				return 1
			}
		done
		[ "$(wc -c <"$folder/log")" -le $log_bytes ] || { mv "$folder/log" "$folder/log.1" && : >"$folder/log"; }
		flock -u 9
		set -- "$folder"/spool/*
		while [ $# -gt 1 ]; do shift; done
		[ -e "$1" ] && [ "${1##*/}" -gt "$sent_to" ] || return 0
	done
}

# --- recordings ---

# bytes_of FILE, seconds' worth of sound by its kind: a call that nobody took leaves less than one second.
is_short() {
	case $1 in *.wav) least=16044 ;; *.WAV | *.wav49) least=1685 ;; *) least=1000 ;; esac
	[ "$2" -lt $least ]
}

# keep_recordings UNIQUEID LINKEDID FOLDER: returns 1 where the folder has none of this channel.
keep_recordings() {
	for kind in wav WAV wav49 mp3 ogg; do
		found=
		for file in "$3"/*-"$1.$kind" "$3/$1.$kind"; do
			[ -f "$file" ] || continue
			found=yes
			bytes=$(($(wc -c <"$file")))
			! is_short "$file" $bytes || continue
			keep "{\"type\":\"call_recording\",\"id\":\"recording-$1-$bytes\",\"uniqueid\":\"$1\",\
\"linkedid\":\"$2\",\"filename\":$(json "${file##*/}")}" "$file"
		done
		[ -z "$found" ] || return 0
	done
	return 1
}

recording() {
	is_id "$1" && is_id "$2" || {
		say "recording: the words have to be \${UNIQUEID} and \${CHANNEL(linkedid)}, nothing else."
		exit 2
	}
	flock 8
	began_s=${1##*-} # a system's name may stand before it
	day=$(date -d "@${began_s%%.*}" +%Y/%m/%d 2>/dev/null)
	keep_recordings "$1" "$2" "$monitor/${day:-.}" || keep_recordings "$1" "$2" "$monitor" ||
		keep_recordings "$1" "$2" "$monitor/$(date +%Y/%m/%d)" ||
		find "$monitor/" -type d | {
			while read -r place; do
				! keep_recordings "$1" "$2" "$place" || exit 0
			done
			say "There is no recording of channel $1 in $monitor that could be sent (wav, WAV, mp3, ogg)."
		}
	flock -u 8
}

# --- voicemails ---

# field NAME FILE: a value of a message's text file.
field() {
	sed -n "s/^$1=//p" "$2" | head -n 1
}

# keep_message CONTEXT MAILBOX KEY FILE-WITHOUT-ENDING
keep_message() {
	for kind in wav WAV mp3 ogg; do
		[ ! -f "$4.$kind" ] || break
	done
	[ -f "$4.$kind" ] || {
		say "$4 has no sound that could be sent: voicemail.conf's format needs wav or wav49."
		return 0
	}
	caller=$(field callerid "$4.txt")
	name=
	case $caller in
	*'<'*'>')
		name=$(printf '%s' "${caller%<*}" | sed 's/^[" ]*//; s/[" ]*$//')
		caller=${caller##*<}
		caller=${caller%%>*}
		;;
	Unknown | unknown | asterisk) caller= ;;
	esac
	more=
	at=$(field origtime "$4.txt")
	! is_number "$at" || more=",\"timestamp\":$at"
	seconds=$(field duration "$4.txt")
	! is_number "$seconds" || more="$more,\"duration_seconds\":$seconds"
	keep "{\"type\":\"voicemail\",\"id\":\"voicemail-$1-$2-$3\",\"from\":$(json "$caller"),\
\"from_name\":$(json "$name"),\"to\":\"$2\",\"mailbox\":\"$2@$1\",\
\"filename\":\"voicemail-$2-$3.$kind\"$more}" "$4.$kind"
}

# A message is known by its msg_id: its number changes when others are deleted. What was seen is noted as long
# as it lies in any folder of the box.
voicemail() {
	is_id "$1" && is_id "$2" || {
		say "voicemail: the words have to be those that externnotify adds: context, mailbox, counts."
		exit 2
	}
	flock 8
	seen=$folder/seen/$1@$2
	: >"$seen.new"
	for text in "$boxes/$1/$2"/*/msg[0-9]*.txt; do
		[ -f "$text" ] || continue
		key=$(field msg_id "$text")
		is_id "$key" || key=$(field origtime "$text")-$(field duration "$text")
		is_id "$key" || continue
		case $text in
		*/INBOX/* | */Urgent/*)
			if ! grep -qxF -e "$key" "$seen" 2>/dev/null && [ -n "$(find "$text" -newer "$folder/since")" ]; then
				keep_message "$1" "$2" "$key" "${text%.txt}" || continue
			fi
			;;
		esac
		printf '%s\n' "$key" >>"$seen.new"
	done
	mv "$seen.new" "$seen"
	flock -u 8
}

# --- by hand ---

check() {
	[ -r "$config" ] || echo "$config cannot be read by $(id -un): it has address and token."
	for place in "$monitor" "$boxes"; do
		[ -r "$place/" ] || echo "$place cannot be read by $(id -un). Other folders: see $settings in this script."
	done
	status=$(post --form 'event={}' --output /dev/null)
	case $status in
	422) echo "The appliance answers and knows the token." ;;
	401) echo "The appliance does not know the token: enter the location's token in $config." ;;
	403) echo "The location is paused: resume it, or what comes waits here." ;;
	*) echo "The appliance does not answer as it should (HTTP status ${status:-000}): look at url in $config." ;;
	esac
	set -- "$folder"/spool/*/event
	[ -e "$1" ] || shift
	echo "Waiting to be sent: $#."
	set -- "$folder"/failed/*/event
	[ -e "$1" ] || shift
	echo "Given up: $#. See $folder/failed and $folder/log."
	[ "$status" = 422 ]
}

case ${1:-} in
recording | voicemail | retry | check) prepare ;;
esac
case ${1:-} in
recording)
	recording "${2:-}" "${3:-${2:-}}"
	sleep "$settle_s"
	flush
	;;
voicemail)
	voicemail "${2:-}" "${3:-}"
	sleep "$settle_s"
	flush
	;;
retry) flush ;;
check) check ;;
*)
	echo "usage: $0 recording UNIQUEID [LINKEDID] | voicemail CONTEXT MAILBOX | retry | check" >&2
	exit 2
	;;
esac
