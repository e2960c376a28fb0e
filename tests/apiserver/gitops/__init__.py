"""ServiceAccounts that need no token: GitOps tools and CI, on an API server of their own."""
