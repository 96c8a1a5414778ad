package keycloaktest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Browser fills in Keycloak's forms, and keeps cookies.
type Browser struct{ client http.Client }

// Page is what a browser shows.
type Page struct {
	URL    *url.URL
	Status int
	Body   string
}

// Browser is a new one.
func (k *Keycloak) Browser() (*Browser, error) {
	jar, err := cookiejar.New(nil)
	return &Browser{http.Client{Transport: k.http.Transport, Timeout: k.http.Timeout, Jar: jar}}, err
}

// Do sends a request, and follows where it leads.
func (b *Browser) Do(r *http.Request) (*Page, error) {
	answer, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return &Page{answer.Request.URL, answer.StatusCode, string(raw)}, err
}

// Open opens an address.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/html")
	return b.Do(r)
}

// LogIn fills in the form of a login that a page shows.
func (b *Browser) LogIn(ctx context.Context, page *Page, user, password string) (*Page, error) {
	return b.submit(ctx, page, "username", url.Values{"username": {user}, "password": {password}})
}

// Accept agrees to what a page asks.
func (b *Browser) Accept(ctx context.Context, page *Page) (*Page, error) {
	return b.submit(ctx, page, "accept", nil)
}

// submit fills in the form of a page that has an input, and sends it.
func (b *Browser) submit(ctx context.Context, page *Page, input string, fill url.Values) (*Page, error) {
	document, err := html.Parse(strings.NewReader(page.Body))
	if err != nil {
		return nil, err
	}
	for node := range document.Descendants() {
		if node.Type != html.ElementNode || node.Data != "form" {
			continue
		}
		values := url.Values{}
		for field := range node.Descendants() {
			if name := attribute(field, "name"); (field.Data == "input" || field.Data == "button") && name != "" && name != "cancel" && attribute(field, "type") != "checkbox" {
				values.Set(name, attribute(field, "value"))
			}
		}
		if !values.Has(input) {
			continue
		}
		for name, value := range fill {
			values[name] = value
		}
		to, err := page.URL.Parse(attribute(node, "action"))
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(values.Encode()))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		return b.Do(r)
	}
	return nil, fmt.Errorf("the page at %s has no form with %s: %s", page.URL, input, page.Body)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
