package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// element is an XML element with what is in it.
type element struct {
	Name     xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

// UnmarshalXML keeps the name, which the decoder drops otherwise.
func (e *element) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	type plain element
	err := d.DecodeElement((*plain)(e), &start)
	e.Name = start.Name
	return err
}

// attr is the value of an attribute.
func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// parseXML reads a document of the image.
func parseXML(text string) (element, error) {
	var root element
	err := xml.Unmarshal([]byte(text), &root)
	if errors.Is(err, io.EOF) {
		err = errors.New("there is no document")
	}
	if err != nil {
		return root, fmt.Errorf("cannot read XML: %w", err)
	}
	return root, nil
}

// labels are the attributes that say which of several elements of a name one is.
var labels = []string{"name", "id", "type"}

// xmlFacts writes a document as paths below a first name: what elements say that is a
// number or a path is the value of a fact, anything else a fact of its own.
func xmlFacts(text, below string, skip func(path string) bool) ([]capture.Fact, error) {
	root, err := parseXML(text)
	if err != nil {
		return nil, err
	}
	var facts []capture.Fact
	say := func(path, value string) {
		f := capture.Fact{Path: path + "/=" + value}
		if skip(f.Path) {
			return
		}
		if _, err := strconv.ParseFloat(value, 64); err == nil || strings.Contains(value, "/") {
			f = capture.Fact{Path: path, Value: value}
		}
		facts = append(facts, f)
	}
	var walk func(path string, e element)
	walk = func(path string, e element) {
		label := ""
		for _, l := range labels {
			if v := e.attr(l); v != "" {
				path, label = path+"["+v+"]", l
				break
			}
		}
		if path != below && !skip(path) {
			facts = append(facts, capture.Fact{Path: path})
		}
		for _, a := range e.Attrs {
			if a.Name.Local != label {
				say(path+"/"+a.Name.Local, a.Value)
			}
		}
		if text := strings.TrimSpace(e.Text); text != "" {
			say(path, text)
		}
		for _, c := range e.Children {
			name := join(path, c.Name.Local)
			if c.Name.Local == "value" {
				name = path // of an enumeration
			}
			walk(name, c)
		}
	}
	walk(below, root)
	return facts, nil
}
