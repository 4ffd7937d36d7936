"""Response bodies: representations of tensors and models, their formats, entity tags and digests."""
