"""Where the network looks, and what it needs: activation maps and occlusion."""
