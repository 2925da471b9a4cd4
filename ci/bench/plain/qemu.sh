# Plain qemu: qemu.sh KEPT FOLDER USR STATE [ARGUMENT...] copies what keep.sh kept,
# mounts the emulator's /usr in a mount namespace of its own, and says that it is
# ready; at a word it becomes the emulator, with STATE as its file descriptor 3. It
# needs nothing of /usr any more by then.
set -e
cp -r --sparse=always "$1" "$2"
sed -i "s:FOLDER/:$2/:g" "$2/argv"
usr=$3
state=$4
argv=$2/argv
shift 4
[ -z "$usr" ] || mount -t squashfs -o ro,loop "$usr" /usr
more=$*
set --
while IFS= read -r argument; do
	set -- "$@" "$argument"
done <"$argv"
echo ready
read -r go
exec "$@" $more 3<"$state" </dev/null >&2
