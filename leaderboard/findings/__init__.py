"""What tables show: paired differences between their conditions, and sentences that rules write."""
