"""HTTP requests that leave the appliance: checked addresses, deadlines, signatures."""
