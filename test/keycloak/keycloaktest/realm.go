package keycloaktest

// The realm, and what is in it.
const (
	Realm       = "main"
	Client      = "mcic"       // the server
	CommandLine = "mcic-cli"   // logs in by the device flow
	Program     = "mcic-robot" // gets tokens for users by their passwords, and for itself
	Password    = "correct-horse-battery"
)

// User is somebody who can log in.
type User struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

// Users are all who can.
func Users() []User {
	return []User{{"anna", Password, []string{"team-a"}}, {"bert", Password, []string{"team-b"}}, {"carl", Password, nil}}
}

// realm describes the realm as Keycloak imports it. The server is at an address.
func realm(secret, server string, tokens int) map[string]any {
	var users []any
	for _, u := range Users() {
		users = append(users, map[string]any{
			"username": u.Name, "enabled": true, "email": u.Name + "@example.com", "emailVerified": true, "firstName": u.Name, "lastName": "Kim",
			"groups": u.Groups, "credentials": []any{map[string]any{"type": "password", "value": u.Password, "temporary": false}},
		})
	}
	groups := map[string]any{
		"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
		"config": map[string]any{"claim.name": "groups", "full.path": "false", "id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"},
	}
	audience := map[string]any{
		"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]any{"included.client.audience": Client, "access.token.claim": "true", "id.token.claim": "false"},
	}
	return map[string]any{
		"realm": Realm, "enabled": true, "accessTokenLifespan": tokens, "groups": []any{map[string]any{"name": "team-a"}, map[string]any{"name": "team-b"}},
		"users": users,
		"clients": []any{
			map[string]any{
				"clientId": Client, "secret": secret, "standardFlowEnabled": true, "directAccessGrantsEnabled": false, "protocolMappers": []any{groups},
				"redirectUris": []string{server + "/v1/session/sso/callback"},
				"attributes": map[string]any{
					"pkce.code.challenge.method": "S256", "backchannel.logout.url": server + "/v1/session/sso/logout", "backchannel.logout.session.required": "true",
					"post.logout.redirect.uris": server + "/*",
				},
			},
			map[string]any{
				"clientId": CommandLine, "publicClient": true, "standardFlowEnabled": false, "directAccessGrantsEnabled": false, "protocolMappers": []any{groups, audience},
				"attributes": map[string]any{"oauth2.device.authorization.grant.enabled": "true", "pkce.code.challenge.method": "S256"},
			},
			map[string]any{
				"clientId": Program, "secret": secret, "standardFlowEnabled": false, "directAccessGrantsEnabled": true, "serviceAccountsEnabled": true,
				"protocolMappers": []any{groups, audience},
			},
		},
	}
}
