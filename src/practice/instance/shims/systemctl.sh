#!/bin/sh
# systemctl of a practice machine, which runs no systemd: power, and which units are enabled. Services are not run, and it
# says so.
quiet=0
now=0
verb=
units=
for given; do
  case "$given" in
    -q | --quiet) quiet=1 ;;
    --now) now=1 ;;
    --version) echo 'systemd 252 (practice)'; exit 0 ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$given; else units="$units $given"; fi ;;
  esac
done
note() { [ "$quiet" = 1 ] || echo "systemctl: $* (a practice machine runs no services)" >&2; }
full() { case "$1" in *.*) echo "$1" ;; *) echo "$1.service" ;; esac; }
file_of() {
  for folder in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e "$folder/$1" ]; then echo "$folder/$1"; return 0; fi
  done
  if [ -x "/etc/init.d/${1%.service}" ]; then echo "/etc/init.d/${1%.service}"; return 0; fi
  return 1
}
wants() { sed -n 's/^\(WantedBy\|RequiredBy\)=//p' "$1" 2>/dev/null; }
missing() { echo "Unit file $1 does not exist." >&2; }

case "$verb" in
  reboot | poweroff | halt)
    case "$verb" in reboot) word=reboot ;; *) word=poweroff ;; esac
    if ! [ -w /run/practice/power ]; then echo 'systemctl: only root can do this' >&2; exit 1; fi
    echo "$word" > /run/practice/power
    ;;
  enable | disable | reenable | mask | unmask)
    status=0
    for unit in $units; do
      unit=$(full "$unit")
      case "$verb" in
        mask) ln -sf /dev/null "/etc/systemd/system/$unit"; continue ;;
        unmask) [ "$(readlink "/etc/systemd/system/$unit")" = /dev/null ] && rm -f "/etc/systemd/system/$unit"; continue ;;
        disable) rm -f /etc/systemd/system/*.wants/"$unit" /etc/systemd/system/*.requires/"$unit"; continue ;;
      esac
      if ! path=$(file_of "$unit"); then missing "$unit"; status=1; continue; fi
      for target in $(wants "$path"); do
        mkdir -p "/etc/systemd/system/$target.wants"
        ln -sf "$path" "/etc/systemd/system/$target.wants/$unit"
        [ "$quiet" = 1 ] || echo "Created symlink /etc/systemd/system/$target.wants/$unit -> $path." >&2
      done
    done
    [ "$now" = 1 ] && note "$units not started or stopped"
    exit $status
    ;;
  start | restart | try-restart | reload | reload-or-restart | stop)
    status=0
    for unit in $units; do
      unit=$(full "$unit")
      if file_of "$unit" > /dev/null; then note "$unit: $verb left out"
      else echo "Failed to $verb $unit: Unit $unit not found." >&2; status=5; fi
    done
    exit $status
    ;;
  is-enabled)
    for unit in $units; do
      unit=$(full "$unit")
      for link in /etc/systemd/system/*.wants/"$unit" /etc/systemd/system/*.requires/"$unit"; do
        if [ -L "$link" ]; then [ "$quiet" = 1 ] || echo enabled; exit 0; fi
      done
      [ "$quiet" = 1 ] || echo disabled
    done
    exit 1
    ;;
  is-active) [ "$quiet" = 1 ] || for unit in $units; do echo inactive; done; exit 3 ;;
  is-failed) [ "$quiet" = 1 ] || for unit in $units; do echo inactive; done; exit 1 ;;
  is-system-running) echo running ;;
  status)
    for unit in $units; do unit=$(full "$unit"); file_of "$unit" > /dev/null || { echo "Unit $unit could not be found." >&2; exit 4; }; done
    note "no service is active"; [ -z "$units" ] || exit 3
    ;;
  cat) for unit in $units; do cat "$(file_of "$(full "$unit")")" || exit 1; done ;;
  daemon-reload | daemon-reexec | preset | preset-all | reset-failed | set-default | kill | '') ;;
  show) ;;
  *) note "$verb left out" ;;
esac
