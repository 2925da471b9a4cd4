# How one of our hosts was started, for plain qemu: keep.sh LOGS KEPT finds the
# emulator by its folder of logs, and puts its arguments into KEPT, one a line, with
# FOLDER in the place of its folders, anonymous memory and without a saved state; and
# its initramfs and disk.
set -e
logs=$1
kept=$2
mkdir -p "$kept"
pid=$(pgrep -f "^[^ ]*qemu-system-x86_64 .*$logs/")
tr '\0' '\n' <"/proc/$pid/cmdline" >"$kept/all"
sockets=$(dirname "$(sed -n 's/^unix:\(.*qmp[^,]*\),.*/\1/p' "$kept/all")")
files=$(dirname "$(sed -n '/^-initrd$/{n;p}' "$kept/all")")
sed -e '/^-S$/d' -e '/^-incoming$/{N;d}' -e "s:\($logs\|$sockets\|$files\)/:FOLDER/:g" \
	-e 's/^memory-backend-file,\(.*\),mem-path=.*/memory-backend-ram,\1/' "$kept/all" >"$kept/argv"
cp --sparse=always "$files/initramfs" "$files/scratch.img" "$kept"
