#!/bin/sh
# cloud-init of a practice machine: how far user data is. Its init runs it.
finished=/var/lib/cloud/instance/boot-finished
result=/var/lib/cloud/instance/result.json
case "$1" in
  status)
    wait=0
    for given; do case "$given" in -w | --wait) wait=1 ;; esac; done
    if [ "$wait" = 1 ]; then
      until [ -e "$finished" ]; do printf .; sleep 0.2; done
      echo
    fi
    if ! [ -e "$finished" ]; then echo 'status: running'
    elif grep -q '"errors": \[\]' "$result" 2>/dev/null; then echo 'status: done'
    else echo 'status: error'; exit 1
    fi
    ;;
  clean)
    rm -rf /var/lib/cloud/instances /var/lib/cloud/instance /var/lib/cloud/data
    for given; do case "$given" in -l | --logs) rm -f /var/log/cloud-init*.log ;; esac; done
    ;;
  query | collect-logs) echo "cloud-init: a practice machine has no '$1'" >&2; exit 1 ;;
  -v | --version) echo '/usr/bin/cloud-init 24.0-practice' ;;
  *) exit 0 ;;
esac
