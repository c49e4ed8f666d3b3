"""What chapters compute on real networks: nothing but their notebooks imports it."""
