package drivertest

import (
	"maps"
	"regexp"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// wrongValue is a secret, region or name that no cloud knows.
const wrongValue = "mcic-no-such-value"

// connectionChecks are those of the driver and its sessions as a whole.
func (s *suite) connectionChecks() []check {
	checks := []check{
		{"connection", "describe", "documented", false, checkDocumented},
		{"connection", "describe", "translated", false, checkTranslated},
		{"connection", "connect", "side-by-side", false, checkSideBySide},
		{"connection", "connect", "unknown-setting", false, checkUnknownSetting},
		{"connection", "connect", "unknown-field", false, checkUnknownField},
	}
	if s.target.Config.Region != "" {
		checks = append(checks, check{"connection", "connect", "unknown-region", false, checkUnknownRegion})
	}
	if slices.Contains(s.description.Catalogs, resource.Regions.Name) {
		checks = append(checks, check{"connection", "connect", "without-region", false, checkWithoutRegion})
	}
	for _, f := range s.description.Credential {
		if f.Required {
			checks = append(checks, check{"connection", "connect", "missing-" + f.Name, false, func(t *try) { checkMissing(t, f.Name) }})
		}
		if f.Secret && s.target.Config.Credential[f.Name] != "" {
			checks = append(checks, check{"connection", "connect", "wrong-" + f.Name, false, func(t *try) { checkWrongSecret(t, f.Name) }})
		}
	}
	for _, refused := range s.target.Refused {
		checks = append(checks, check{"connection", "connect", refused.Name, false, func(t *try) { checkRefused(t, refused) }})
	}
	return slices.Concat(checks, s.permissionChecks(), s.warningChecks(), s.connectTroubleChecks())
}

// changing is the target's configuration with a changed credential.
func (s *suite) changing(change func(driver.Values)) driver.Config {
	c := s.target.Config
	c.Credential = maps.Clone(c.Credential)
	if c.Credential == nil {
		c.Credential = driver.Values{}
	}
	change(c.Credential)
	return c
}

// refused connects with a configuration that must fail with one of the codes.
func (t *try) refused(c driver.Config, codes ...resource.Code) {
	opened, err := t.connect(t.ctx, c)
	if err == nil {
		err = opened.open.Close()
		t.Fatalf("it connects (%v); want an error with a code of %v", err, codes)
	}
	if code := resource.CodeOf(err); !slices.Contains(codes, code) {
		t.Errorf("got %s; want a code of %v", said(err), codes)
	}
}

// semantic is the form of a semantic version.
var semantic = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// checkDocumented: forms, flags and pages are made from the description.
func checkDocumented(t *try) {
	d := t.description
	if d.Name == "" || d.Title == "" || d.Doc == "" {
		t.Errorf("name, title and doc are %q, %q and %q; give all three", d.Name, d.Title, d.Doc)
	}
	if !semantic.MatchString(d.Version) {
		t.Errorf("the version %q is not a semantic version such as 1.2.3", d.Version)
	}
	for what, fields := range map[string][]driver.Field{"credential": d.Credential, "setting": d.Settings} {
		seen := map[string]bool{}
		for _, f := range fields {
			if f.Name == "" || f.Title == "" || f.Doc == "" || f.Type == "" {
				t.Errorf("the %s %q lacks a title, doc or type", what, f.Name)
			}
			if seen[f.Name] {
				t.Errorf("the %s %q is there twice", what, f.Name)
			}
			seen[f.Name] = true
			if what == "credential" && f.Where == "" && f.Required {
				t.Errorf("the field %q does not say where to get its value", f.Name)
			}
		}
	}
	for i, f := range d.Credential {
		for _, other := range d.Credential[i+1:] {
			for _, name := range append([]string{other.Name, other.Keys.Spider, other.Keys.Cloud}, other.Aliases...) {
				if f.AnswersTo(name) {
					t.Errorf("the fields %q and %q are both called %q", f.Name, other.Name, name)
				}
			}
		}
	}
	for _, e := range d.Extensions {
		if e.Doc == "" {
			t.Errorf("the extension %q has no doc", e.Name)
		}
	}
}

// checkTranslated: a page in two languages at once helps nobody.
func checkTranslated(t *try) {
	for _, language := range slices.Sorted(maps.Keys(t.description.Texts)) {
		lacking, stale := t.description.Untranslated(language)
		for _, text := range lacking {
			t.Errorf("what it says for people is not translated (%s): %s", language, text)
		}
		for _, text := range stale {
			t.Errorf("what it has a translation of (%s) it does not say: %s", language, text)
		}
	}
}

// checkSideBySide: ending one session ends no other one.
func checkSideBySide(t *try) {
	one, other := t.connectTo(t.target.Config), t.connectTo(t.target.Config)
	if err := one.open.Close(); err != nil {
		t.Errorf("close: %v", said(err))
	}
	for _, kind := range t.description.Kinds {
		if _, err := other.list(t.ctx, kind.Name); err != nil {
			t.Errorf("list %s when another session was closed: %v", kind.Name, said(err))
		}
	}
	if err := other.open.Close(); err != nil {
		t.Errorf("close: %v", said(err))
	}
}

func checkUnknownSetting(t *try) {
	t.refused(with(t.target.Config, driver.Values{"mcicNoSuchSetting": "x"}), resource.CodeInvalid)
}

func checkUnknownField(t *try) {
	t.refused(t.changing(func(v driver.Values) { v["mcicNoSuchField"] = "x" }), resource.CodeInvalid)
}

func checkMissing(t *try, field string) {
	t.refused(t.changing(func(v driver.Values) { delete(v, field) }), resource.CodeInvalid)
}

// checkWrongSecret: who creates a connection wants to know at once.
func checkWrongSecret(t *try, field string) {
	t.refused(t.changing(func(v driver.Values) { v[field] = wrongValue }), resource.CodeUnauthenticated, resource.CodeDenied)
}

func checkUnknownRegion(t *try) {
	c := t.target.Config
	c.Region, c.Zone = wrongValue, ""
	t.refused(c, resource.CodeInvalid, resource.CodeNotFound, resource.CodeUnauthenticated, resource.CodeUnavailable)
}

func checkWithoutRegion(t *try) {
	c := t.target.Config
	c.Region, c.Zone = "", ""
	opened := t.connectTo(c)
	regions := entriesOf[resource.Region](t, opened, resource.Regions, nil)
	if t.target.Config.Region != "" && !slices.ContainsFunc(regions, func(r resource.Region) bool { return r.Name == t.target.Config.Region }) {
		t.Errorf("the region %s is not among %v", t.target.Config.Region, regions)
	}
}

func checkRefused(t *try, refused Refused) {
	codes := make([]resource.Code, len(refused.Codes))
	for i, code := range refused.Codes {
		codes[i] = resource.Code(code)
	}
	t.refused(refused.Config, codes...)
}
