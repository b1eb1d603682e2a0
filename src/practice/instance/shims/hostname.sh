#!/bin/sh
# hostname and hostnamectl of a practice machine: its init gives the name, for nobody else inside may.
name=
case "${0##*/}" in
  hostnamectl)
    case "$1" in
      set-hostname | hostname) name=$2 ;;
      *) echo "Static hostname: $(uname -n)"; exit 0 ;;
    esac
    ;;
  *)
    for given; do
      case "$given" in
        -F | --file) ;;
        /*) name=$(cat "$given" 2>/dev/null) ;;
        -s | --short) uname -n | cut -d. -f1; exit 0 ;;
        -d | --domain) uname -n | sed -n 's/^[^.]*\.//p'; exit 0 ;;
        -i | --ip-address | -I | --all-ip-addresses) echo 127.0.1.1; exit 0 ;;
        -*) ;;
        *) [ -n "$name" ] || name=$given ;;
      esac
    done
    if [ -z "$name" ]; then uname -n; exit 0; fi
    ;;
esac
if [ -z "$name" ]; then uname -n; exit 0; fi
if ! [ -w /run/practice/power ]; then echo "${0##*/}: you must be root to change the host name" >&2; exit 1; fi
[ "${0##*/}" = hostname ] || echo "$name" > /etc/hostname
echo "hostname $name" > /run/practice/power
# It is heard a moment later.
tries=0
until [ "$(uname -n)" = "$name" ] || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.02; done
