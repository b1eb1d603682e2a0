#!/bin/sh
# reboot, poweroff, halt and shutdown of a practice machine: its init ends it, and kiln does the rest.
pipe=/run/practice/power
word=poweroff
case "${0##*/}" in
  reboot) word=reboot ;;
  shutdown)
    for given; do
      case "$given" in
        -r | --reboot) word=reboot ;;
        -c) exit 0 ;;
        -k) exit 0 ;;
        --help) echo 'shutdown [-r|-h|-P|-H] [now|+0]'; exit 0 ;;
      esac
    done
    ;;
esac
for given; do
  case "$given" in
    --reboot) word=reboot ;;
    -p | --poweroff) word=poweroff ;;
    -w | --wtmp-only) exit 0 ;;
  esac
done
if ! [ -w "$pipe" ]; then
  echo "${0##*/}: only root can do this" >&2
  exit 1
fi
echo "$word" > "$pipe"
