// Package oauth2 has what MinIO tells its console of OpenID providers.
package oauth2

type OpenIDPCfg map[string]ProviderConfig

type ProviderConfig struct {
	URL, DisplayName, ClientID, ClientSecret, HMACSalt, HMACPassphrase, Scopes string
	RedirectCallback, EndSessionEndpoint, RoleArn                              string
	Userinfo, RedirectCallbackDynamic                                          bool
}
