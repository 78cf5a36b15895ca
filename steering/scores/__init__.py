"""Where a concept can be steered: LayerNavigator's scores, and the sites chosen by them."""
