# A real IPP Everywhere printer (Debian's ippeveprinter) in a network and a mount namespace of its own, and
# what prints on it. It wants D-Bus and Avahi, and listens on all addresses: here there is only loopback.
# Usage: unshare -rmnpf sh ippeve.sh FOLDER PROGRAM ARGUMENTS…
set -eu
work=$1
shift
ip link set lo up
mkdir -p "$work/run" "$work/spool" "$work/keys" "$work/paper"
# Avahi becomes a user that this namespace does not have.
printf 'root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n' >"$work/passwd"
printf 'root:x:0:\navahi:x:0:\nnetdev:x:0:\n' >"$work/group"
cat >"$work/dbus.conf" <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
END
printf '[server]\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=lo\n' >"$work/avahi.conf"
# What prints: the job's name says what comes of it.
cat >"$work/engine" <<END
#!/bin/sh
case "\$IPP_JOB_NAME" in
    torn-*) echo 'ERROR: the paper is torn' >&2; exit 1 ;;
    stuck-*) echo 'STATE: +media-jam-error' >&2; exec tail -f /dev/null ;;
esac
cp "\$1" "$work/paper/\$IPP_JOB_NAME.pdf"
END
chmod +x "$work/engine"
mount --bind "$work/run" /run
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group
mkdir -p /run/dbus /run/avahi-daemon
started=
trap 'kill $started 2>/dev/null || true; wait' EXIT
await() {
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || { echo "not in time: $*" >&2; exit 1; }
        sleep 0.05
    done
}
dbus-daemon --config-file="$work/dbus.conf" --nofork --nopidfile >"$work/dbus.log" 2>&1 &
started="$started $!"
await test -S /run/dbus/system_bus_socket
avahi-daemon -f "$work/avahi.conf" --no-drop-root --no-chroot --no-rlimits >"$work/avahi.log" 2>&1 &
started="$started $!"
await grep -q 'Server startup complete' "$work/avahi.log"
ippeveprinter -n localhost -p 8631 -d "$work/spool" -K "$work/keys" -f application/pdf -c "$work/engine" \
    -v Test >"$work/printer.log" 2>&1 &
started="$started $!"
await ipptool -q ipp://localhost:8631/ipp/print get-printer-attributes.test
"$@"
