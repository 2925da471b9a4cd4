// Package ci holds what a run is judged with unless somebody says otherwise: the files
// of known issues and waivers, which people review.
package ci

import _ "embed"

// KnownIssues and Waivers are the files of that name.
var (
	//go:embed known-issues.yaml
	KnownIssues []byte
	//go:embed waivers.yaml
	Waivers []byte
)
