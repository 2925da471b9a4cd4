package main

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// schemaInfo is a SchemaInfo of query-qmp-schema (qapi/introspect.json). Its names of
// types are numbers that are others in each release.
type schemaInfo struct {
	Name     string         `json:"name"`
	Meta     string         `json:"meta-type"`
	JSON     string         `json:"json-type"`
	Element  string         `json:"element-type"`
	Argument string         `json:"arg-type"`
	Result   string         `json:"ret-type"`
	Tag      string         `json:"tag"`
	Features []string       `json:"features"`
	Values   []string       `json:"values"`
	Members  []schemaMember `json:"members"`
	Variants []struct {
		Case string `json:"case"`
		Type string `json:"type"`
	} `json:"variants"`
}

type schemaMember struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Features []string `json:"features"`
	// Default is there, as null, when the member is optional.
	Default optionalMark `json:"default"`
}

// optionalMark notes that a key is there, whatever it holds.
type optionalMark bool

// UnmarshalJSON is called for null, too.
func (o *optionalMark) UnmarshalJSON([]byte) error { *o = true; return nil }

// deepest bounds how many names a path of the schema has.
const deepest = 14

// expander writes a schema out as paths.
type expander struct {
	types map[string]schemaInfo
	facts []capture.Fact
	// either counts the alternates that the path leads through: nothing below must be given.
	either int
	// within are the types that the path leads through, which have no end otherwise.
	within []string
}

// schemaFacts writes a schema as facts. What upstream does not promise is left out.
func schemaFacts(schema []schemaInfo) []capture.Fact {
	e := &expander{types: map[string]schemaInfo{}}
	for _, i := range schema {
		e.types[i.Name] = i
	}
	for _, i := range schema {
		if (i.Meta != "command" && i.Meta != "event") || unpromised(i.Name, i.Features) {
			continue
		}
		e.fact(i.Name, i.Meta, false, i.Features)
		if i.Meta == "event" {
			e.expand(i.Name+"/data", i.Argument)
			continue
		}
		e.expand(i.Name+"/arguments", i.Argument)
		e.expand(i.Name+"/returns", i.Result)
	}
	return e.facts
}

// unpromised says that upstream may change something at any time.
func unpromised(name string, features []string) bool {
	return strings.HasPrefix(name, "x-") || slices.Contains(features, "unstable")
}

func (e *expander) fact(path, value string, required bool, features []string) {
	e.facts = append(e.facts, capture.Fact{Path: path, Value: value, Required: required && e.either == 0, Deprecated: slices.Contains(features, "deprecated")})
}

// expand writes what a type holds below a path.
func (e *expander) expand(path, name string) {
	i, ok := e.types[name]
	if !ok || slices.Contains(e.within, name) || strings.Count(path, "/") > deepest {
		return
	}
	e.within = append(e.within, name)
	defer func() { e.within = e.within[:len(e.within)-1] }()
	switch i.Meta {
	case "array":
		e.expand(path, i.Element)
	case "alternate":
		e.either++
		defer func() { e.either-- }()
		for _, m := range i.Members {
			e.expand(path, m.Type)
		}
	case "enum":
		e.values(path, i)
	case "object":
		for _, m := range i.Members {
			if unpromised(m.Name, m.Features) {
				continue
			}
			e.fact(path+"/"+m.Name, e.describe(m.Type), !bool(m.Default), m.Features)
			e.expand(path+"/"+m.Name, m.Type)
		}
		for _, v := range i.Variants {
			if unpromised(v.Case, nil) {
				continue
			}
			e.expand(path+"/"+i.Tag+"/="+v.Case, v.Type)
		}
	}
}

// values writes those of an enumeration, which have features of their own since 6.2.
func (e *expander) values(path string, i schemaInfo) {
	if len(i.Members) == 0 {
		for _, v := range i.Values {
			i.Members = append(i.Members, schemaMember{Name: v})
		}
	}
	for _, m := range i.Members {
		if !unpromised(m.Name, m.Features) {
			e.fact(path+"/="+m.Name, "", false, m.Features)
		}
	}
}

// describe says what a type is without its name.
func (e *expander) describe(name string) string {
	switch i := e.types[name]; i.Meta {
	case "builtin":
		return i.JSON
	case "array":
		return "[" + e.describe(i.Element) + "]"
	default:
		return i.Meta
	}
}
