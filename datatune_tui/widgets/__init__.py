"""Parts that several screens use. What they are given to show is plain text, never markup."""
