package steps

import "path"

// Wrap puts a shell script in the place of a program of L1, which is where the host's
// layout has it, or else in PATH. In the script $REAL is the program, and the arguments
// are those that it was given. It stays there for as long as the host lives, or until Unwrap.
func (t *T) Wrap(program, script string) {
	file, err := t.Layout().Program(program)
	if err != nil {
		file = t.Sh("command -v " + program)
	}
	t.unlock()
	real, target := path.Dir(file)+"/."+path.Base(file)+".real", t.Sh("readlink -f "+file)
	if path.Base(target) != path.Base(file) {
		real += "/" + path.Base(file)
		t.Sh("mkdir -p " + path.Dir(real))
	}
	t.Sh("cp -a --remove-destination " + target + " " + real + " && rm " + file)
	t.Put(file, "#!/bin/bash\nREAL="+real+"\n"+script+"\n")
	t.Sh("chmod 755 " + file)
}

// Unwrap puts a program back that was wrapped.
func (t *T) Unwrap(program string) {
	t.Sh("f=$(command -v " + program + ") && mv $(dirname $f)/.$(basename $f).real $f")
}
