"""What is done with text that a stranger wrote costs no more than its length."""
