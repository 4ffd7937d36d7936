"""What is sent: representations of tensors and models, their formats, entity tags and digests."""
