# What building a userland takes with plain tools: image.sh FOLDER RELEASE PACKAGE...
# makes a flat repository in FOLDER of the files there, as a mirror would hold it,
# and says that it is ready; at a word it installs and packs them.
set -e
cd "$1"
release=$2
shift 2
for deb in *.deb; do
	dpkg-deb --field "$deb"
	printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -Lc %s "$deb")" "$(sha256sum <"$deb" | cut -c 1-64)"
done >Packages
printf 'Suite: %s\nCodename: %s\nSHA256:\n %s %s Packages\n' "$release" "$release" "$(sha256sum <Packages | cut -c 1-64)" "$(stat -c %s Packages)" >Release
echo ready
read -r go
# The options are those of internal/source/apt and fixtures.
for without in man info locale doc gtk-doc lintian; do
	set -- "$@" "--dpkgopt=path-exclude=/usr/share/$without/*"
done
mmdebstrap --mode=root --format=directory --variant=essential --architectures=amd64 \
	'--setup-hook=for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done' \
	--dpkgopt=force-unsafe-io "$@" "$release" root "deb [trusted=yes] copy://$PWD ./" >&2
mksquashfs root root.squashfs -noappend -no-progress -quiet -noI -noD -noF -noX >&2
