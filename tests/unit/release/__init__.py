"""What a release is made of, without making one."""
