package driver

import (
	"encoding/json"
	"maps"
	"slices"
)

// Texts are translations of what a description says for people: by language, such as ko,
// and by the English text.
type Texts map[string]map[string]string

// ReadTexts reads texts that are built into a driver, such as translations into one language
// for [About]: JSON objects of English texts with their translations. What cannot be read is a
// defect of the program, and panics.
func ReadTexts(files ...[]byte) map[string]string {
	texts := map[string]string{}
	for _, raw := range files {
		if err := json.Unmarshal(raw, &texts); err != nil {
			panic("texts that are built in cannot be read: " + err.Error())
		}
	}
	return texts
}

// Untranslated answers the texts for people that a description does not have in a language,
// and translations of what it does not say, or does not say any more.
func (d *Description) Untranslated(language string) (lacking, stale []string) {
	said := d.texts()
	for _, text := range said {
		if d.Texts[language][text] == "" {
			lacking = append(lacking, text)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(d.Texts[language])) {
		if !slices.Contains(said, text) {
			stale = append(stale, text)
		}
	}
	return lacking, stale
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
