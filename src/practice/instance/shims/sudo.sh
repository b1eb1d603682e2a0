#!/bin/sh
# sudo of a practice machine whose image has none that works: every login may do everything, without a password.
user=root
group=
login=0
keep=0
home=0
while [ $# -gt 0 ]; do
  case "$1" in
    --) shift; break ;;
    -u | --user) user=$2; shift 2 ;;
    --user=*) user=${1#*=}; shift ;;
    -g | --group) group=$2; shift 2 ;;
    -p | -C | -D | -h | -r | -t | -T | -U | --prompt | --chdir) shift 2 ;;
    -i | --login) login=1; shift ;;
    -s | --shell) login=2; shift ;;
    -E | --preserve-env | --preserve-env=*) keep=1; shift ;;
    -H | --set-home) home=1; shift ;;
    -V | --version) echo 'Sudo version 1.9 (practice)'; exit 0 ;;
    -v | -k | -K | --validate | --reset-timestamp | --remove-timestamp) shift; [ $# -gt 0 ] || exit 0 ;;
    -l | --list) echo "(ALL) NOPASSWD: ALL"; exit 0 ;;
    -nE | -En | -SE | -ES | -EH | -HE | -EHS | -EHn | -SEH) keep=1; shift ;;
    -n | -S | -b | -A | -P | -B | --non-interactive | --stdin | -nS | -Sn | -Hn | -nH | -SH | -HS) shift ;;
    -u*) user=${1#-u}; shift ;;
    -*) echo "sudo: $1 is not an option here" >&2; exit 1 ;;
    *=*)
      case "${1%%=*}" in *[!A-Za-z0-9_]*) break ;; esac
      export "$1"; set_here="$set_here $1"; shift ;;
    *) break ;;
  esac
done
case "$user" in '#'*) wanted=${user#?}; row=$(grep "^[^:]*:[^:]*:$wanted:" /etc/passwd | head -n 1) ;; *) row=$(grep "^$user:" /etc/passwd | head -n 1) ;; esac
if [ -z "$row" ]; then echo "sudo: unknown user $user" >&2; exit 1; fi
old=$IFS; IFS=:; set_args() { name=$1 uid=$3 gid=$4 dir=$6 sh=$7; }
# shellcheck disable=SC2086
set_args $row
IFS=$old
[ -n "$sh" ] || sh=/bin/sh
caller=${USER:-$(id -un)}
if [ $# -eq 0 ]; then
  [ "$login" -gt 0 ] || { echo 'usage: sudo [-EHinSs] [-u user] command' >&2; exit 1; }
  set -- "$sh"; [ "$login" = 1 ] && set -- "$sh" -l
elif [ "$login" -gt 0 ]; then
  set -- "$sh" -c "$*"
fi
[ "$login" = 1 ] && { cd "$dir" 2>/dev/null || cd /; }
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ "$keep" = 1 ]; then
  [ "$home" = 1 ] && HOME=$dir
  export HOME
  set -- env "PATH=$path" "SUDO_USER=$caller" "SUDO_UID=$(id -u)" "SUDO_GID=$(id -g)" "USER=$name" "LOGNAME=$name" "$@"
else
  # shellcheck disable=SC2086
  set -- env -i "PATH=$path" ${TERM:+"TERM=$TERM"} ${LANG:+"LANG=$LANG"} ${http_proxy:+"http_proxy=$http_proxy"} \
    ${https_proxy:+"https_proxy=$https_proxy"} ${no_proxy:+"no_proxy=$no_proxy"} "HOME=$dir" "USER=$name" "LOGNAME=$name" \
    "SHELL=$sh" "SUDO_USER=$caller" "SUDO_UID=$(id -u)" "SUDO_GID=$(id -g)" $set_here "$@"
fi
if [ "$(id -u)" = "$uid" ] && [ -z "$group" ]; then exec "$@"; fi
[ -z "$group" ] || gid=$(grep "^$group:" /etc/group | cut -d: -f3)
if [ "$(id -u)" = 0 ] && [ -x /usr/bin/setpriv ]; then lift=/usr/bin/setpriv; else lift=/run/practice/lift; fi
if ! [ -x "$lift" ]; then echo "sudo: $caller is not in the sudo group, or the image has no setpriv" >&2; exit 1; fi
exec "$lift" --reuid="$uid" --regid="$gid" --init-groups -- "$@"
