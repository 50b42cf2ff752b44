"""The managed Node.js runtime: its bootstrap in JavaScript, and what starts it. All of it runs inside sandboxes."""
