"""What a dynamic loader finds: the rules of glibc and musl, link maps, and what is missing."""
