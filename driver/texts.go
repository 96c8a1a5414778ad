package driver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Texts are translations of what a description says for people: by language, such as ko,
// and by the English text.
type Texts map[string]map[string]string

// ReadTexts reads translations into one language that are built into a driver, for [About]:
// JSON objects of English texts with their translations. What cannot be read is a defect of
// the program, and panics.
func ReadTexts(files ...[]byte) map[string]string {
	texts := map[string]string{}
	for _, raw := range files {
		if err := json.Unmarshal(raw, &texts); err != nil {
			panic("translations that are built in cannot be read: " + err.Error())
		}
	}
	return texts
}

// Untranslated answers the texts for people that a description does not have in a language.
func (d *Description) Untranslated(language string) []string {
	return slices.DeleteFunc(d.texts(), func(text string) bool { return d.Texts[language][text] != "" })
}

// texts are all that the description says for people, each once.
func (d *Description) texts() []string {
	all := append([]string{d.Title, d.Doc, d.Native}, slices.Collect(maps.Values(d.Missing))...)
	for _, f := range slices.Concat(d.Credential, d.Settings) {
		all = append(all, f.Title, f.Doc, f.Where)
	}
	for _, e := range d.Extensions {
		all = append(all, e.Doc)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(text string) bool { return text == "" })
}

// checkTexts finds a translation of what the description does not say, or does not say any
// more.
func (d *Description) checkTexts() error {
	said := d.texts()
	for language, texts := range d.Texts {
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			if !slices.Contains(said, text) {
				return fmt.Errorf("the driver %s has a translation (%s) of what it does not say: %q", d.Name, language, text)
			}
		}
	}
	return nil
}
