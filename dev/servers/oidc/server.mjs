// An OpenID provider with one client, which has to use PKCE. A user who signs in as `name+group` is
// in that group. Arguments: port, client id, redirect URI, client authentication method, secret.

import Provider from "oidc-provider";

const [port, client, redirect, method, secret] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: client,
      token_endpoint_auth_method: method,
      ...(secret && { client_secret: secret }),
      redirect_uris: [redirect],
      application_type: "native",
    },
  ],
  clientAuthMethods: [method],
  claims: { openid: ["sub", "groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, groups: id.split("+").slice(1) }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log(`listening at ${issuer}`));
