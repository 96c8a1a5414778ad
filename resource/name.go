package resource

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	validName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// NameFrom makes a name of a text: letters lose their accents, Hangul is romanized, and
// a hyphen stands for everything else that a name cannot hold. If nothing is left, it is
// otherwise.
func NameFrom(text, otherwise string) string {
	if !validName.MatchString(text) {
		var plain strings.Builder
		for _, r := range norm.NFKD.String(text) { // a letter and then its accents, each letter of a syllable
			plain.WriteString(latin(r))
		}
		text = strings.Trim(notInNames.ReplaceAllString(plain.String(), "-"), "._-")
	}
	return cmp.Or(text[:min(len(text), maxName)], otherwise)
}

// The Revised Romanization of Korean, letter by letter, in the order of Unicode.
// https://www.korean.go.kr/front_eng/roman/roman_01.do
const (
	initials = "g,kk,n,d,tt,r,m,b,pp,s,ss,,j,jj,ch,k,t,p,h"
	vowels   = "a,ae,ya,yae,eo,e,yeo,ye,o,wa,wae,oe,yo,u,wo,we,wi,yu,eu,ui,i"
	finals   = "k,k,k,n,n,n,t,l,k,m,l,l,l,p,l,m,p,p,t,t,ng,t,t,k,t,p,t"
)

// latin is how a letter of Hangul is written in Latin. An accent is left out.
func latin(r rune) string {
	if r >= 0x0300 && r <= 0x036F {
		return ""
	}
	for first, letters := range map[rune]string{0x1100: initials, 0x1161: vowels, 0x11A8: finals} {
		list := strings.Split(letters, ",")
		if i := int(r - first); i >= 0 && i < len(list) {
			return list[i]
		}
	}
	return string(r)
}

// maxFacadeName is how many characters a name of CB-Spider's API can have.
const maxFacadeName = 270

// CheckFacadeName says what is wrong with a name that a client of CB-Spider's API gives a
// resource, "" if nothing is.
func CheckFacadeName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "contains a control character, or is not UTF-8 text; remove it"
	case utf8.RuneCountInString(name) > maxFacadeName:
		return fmt.Sprintf("has more than %d characters; shorten it", maxFacadeName)
	}
	return ""
}
