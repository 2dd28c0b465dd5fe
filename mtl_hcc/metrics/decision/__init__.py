"""Would acting on the predictions do more good than harm?"""
